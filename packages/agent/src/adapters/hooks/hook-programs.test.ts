import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { HookSpec } from "@siding/shared/hooks";
import type { Address, HostId } from "@siding/shared/ids";
import type { TargetSpec } from "@siding/shared/target";
import { afterEach, beforeEach, expect, it } from "vitest";
import { service, targetOf } from "../../machine/world.fixture.ts";
import type { HookOrder } from "../../ports/hooks.ts";
import type { Policy } from "../process/policy.ts";
import { isAlive, parseRef, refOfPid } from "../process/proc.ts";
import { ChildLauncher } from "./child-launcher.ts";
import { HookPrograms } from "./hook-programs.ts";
import { bearersOfHook } from "./mark.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "siding-hooks-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Longer than anything here takes. */
const patienceMs = 20_000;

function hooks(change: Partial<Policy> = {}): HookPrograms {
  const policy = { services: null, units: [], users: [], runAs: null, ...change };
  const host = { hostId: "h1" as HostId, address: "127.0.1.1" as Address };
  return new HookPrograms({ launcher: new ChildLauncher(folder), ...host, policy, killGraceMs: 200 });
}

function orderOf(
  script: string,
  change: Partial<HookSpec> = {},
  run: Partial<TargetSpec["run"]> = {},
): HookOrder {
  const command = ["sh", "-c", script];
  const hook = { command, timeoutMs: patienceMs, env: {}, idempotent: false, ...change };
  const started = { command: ["true"], env: { COLOUR: "red" }, stopGraceMs: 1_000, ...run };
  const target = targetOf("v1", { hooks: { beforeUpdate: hook }, run: started });
  const call = {
    hook: "beforeUpdate",
    target,
    step: "update",
    runId: "c7/beforeUpdate",
    attempt: 1,
  } as const;
  return { service, slot: "blue", folder, ...call };
}

const run = (order: HookOrder, signal = new AbortController().signal) => hooks().run(order, signal);

async function appears(path: string): Promise<string> {
  const deadlineAtMs = performance.now() + patienceMs;
  while (!existsSync(path) && performance.now() < deadlineAtMs) await sleep(10);
  return readFileSync(path, "utf8").trim();
}

function lives(pid: string): boolean {
  const name = parseRef(refOfPid(Number(pid)) ?? "");
  return name !== null && isAlive(name);
}

it("is told what it is run for, with all that its service has", async () => {
  const file = join(folder, "secrets.env");
  writeFileSync(file, "PASSWORD=from-the-file\n");
  const names =
    "ADDRESS PORT SIDING_SLOT SIDING_VERSION SIDING_SERVICE SIDING_HOST SIDING_HOOK SIDING_HOOK_ID SIDING_STEP";
  const script = `for name in ${names} COLOUR PASSWORD SHAPE PWD; do eval echo \\$$name; done > told`;
  const order = orderOf(script, { env: { SHAPE: "round" } }, { envFile: file });
  expect(await run(order)).toEqual({ ok: true, value: null });
  const told = readFileSync(join(folder, "told"), "utf8").trim().split("\n");
  const place = ["127.0.1.1", "8080", "blue", "v1", "web", "h1", "beforeUpdate", "c7/beforeUpdate", "update"];
  expect(told).toEqual([...place, "red", "from-the-file", "round", folder]);
});

it("that fails says how, with the end of what it printed and no secret in it", async () => {
  const file = join(folder, "secrets.env");
  writeFileSync(file, "PASSWORD=from-the-file\n");
  const script = 'seq 1 9000; echo "$PASSWORD is wrong" >&2; exit 3';
  const result = await run(orderOf(script, {}, { envFile: file }));
  if (result.ok) throw new Error("it went well");
  expect(result.error.code).toBe("hook-failed");
  expect(result.error.message).toContain("hook beforeUpdate (sh -c");
  expect(result.error.message).toContain("ended with exit code 3");
  expect(result.error.output).toHaveLength(8_192);
  expect(result.error.output).toMatch(/9000\n\*\*\* is wrong$/);
});

it("that never ends, and does not heed SIGTERM, is ended at its timeout with what it has forked", async () => {
  const script = `trap "" TERM; sleep 1000 & echo $! > forked; setsid sleep 1000 & echo waiting; while :; do wait; done`;
  const result = await hooks().run(orderOf(script, { timeoutMs: 300 }), AbortSignal.timeout(patienceMs));
  expect(result).toMatchObject({ ok: false, error: { code: "hook-timeout", output: "waiting" } });
  await expect.poll(() => bearersOfHook(folder, null), { timeout: patienceMs }).toEqual([]);
  expect(lives(await appears(join(folder, "forked")))).toBe(false);
});

it("leaves nothing behind that it has forked, also where it goes well", async () => {
  const script = "sleep 1000 & setsid sleep 1000 & echo done";
  expect(await run(orderOf(script))).toEqual({ ok: true, value: null });
  await expect.poll(() => bearersOfHook(folder, null), { timeout: patienceMs }).toEqual([]);
});

it("is ended when nobody waits for it any more", async () => {
  const cancel = new AbortController();
  const ended = run(orderOf("echo $$ > begun; sleep 1000"), cancel.signal);
  const pid = await appears(join(folder, "begun"));
  cancel.abort();
  expect(await ended).toMatchObject({ ok: false, error: { code: "hook-cancelled" } });
  expect(lives(pid)).toBe(false);
});

it("of an agent that has died is ended before anything else", async () => {
  const left = run(orderOf("sleep 1000 & setsid sleep 1000 & echo $$ > begun; wait"));
  await appears(join(folder, "begun"));
  await hooks().endLeft();
  await expect.poll(() => bearersOfHook(folder, null), { timeout: patienceMs }).toEqual([]);
  expect((await left).ok).toBe(false);
});

it("that can't be started says so", async () => {
  const result = await run(orderOf("", { command: ["./not-there"] }));
  expect(result).toMatchObject({ ok: false, error: { code: "hook-not-started" } });
  expect(result.ok ? "" : result.error.message).toContain("./not-there could not be started");
});

it.each([
  [{ services: [] }, {}, "service-not-allowed"],
  [{}, { user: "nobody" }, "user-not-allowed"],
  [{ users: ["ghost-of-siding"] }, { user: "ghost-of-siding" }, "user-missing"],
])("is asked of the host's admin before anything is done for it: %j", async (policy, change, code) => {
  const order = orderOf("true", change);
  expect(await hooks(policy).admit(order)).toMatchObject({ ok: false, error: { code } });
  expect(await hooks(policy).run(order, AbortSignal.timeout(patienceMs))).toMatchObject({ error: { code } });
});

it.runIf(process.getuid?.() === 0)("runs as the user that it names", async () => {
  const whose = orderOf("id -un; exit 1", { user: "nobody" });
  expect(
    await hooks({ users: ["nobody"] }).run({ ...whose, folder: "/" }, AbortSignal.timeout(patienceMs)),
  ).toMatchObject({
    error: { output: "nobody" },
  });
});
