import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HookName, HookSpec } from "@siding/shared/hooks";
import type { Target } from "@siding/shared/target";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { AgentRig, until } from "./testing/rig.ts";

let rig: AgentRig;
let v1: Target;

beforeAll(async () => {
  rig = await AgentRig.up();
  v1 = await targetWith("v1", { beforeDrain: "echo $SIDING_HOOK $SIDING_VERSION >> $NOTES" });
  await rig.upAndHeard();
});
afterAll(() => rig.down());
beforeEach(async () => {
  await rig.deploy(v1);
});

const notesPath = () => join(rig.folder, "notes");
const notes = () => (existsSync(notesPath()) ? readFileSync(notesPath(), "utf8").trim().split("\n") : []);

type Scripts = { readonly [Name in HookName]?: string };

/** A target whose hooks are these scripts, which may write what they do into $NOTES. */
function targetWith(version: string, scripts: Scripts, change: Partial<HookSpec> = {}): Promise<Target> {
  const hooks = Object.fromEntries(
    Object.entries(scripts).map(([name, script]) => {
      const hook = { command: ["sh", "-c", script], env: { NOTES: notesPath() } };
      return [name, { ...hook, timeoutMs: 15_000, idempotent: false, ...change }];
    }),
  );
  return rig.target(version, {}, { hooks });
}

/** Stages it and gives what came of the update. */
async function update(target: Target) {
  await rig.does({ kind: "stage", target });
  return rig.does({ kind: "update", target });
}

/** v1 has gone on serving, and can be verified as if nothing had happened. */
async function isStillWell(): Promise<void> {
  expect(await rig.answers()).toBe("v1");
  const report = await rig.does({ kind: "verify", target: v1, holdMs: 0, attempt: 9 });
  expect(report).toMatchObject({ running: v1.id, command: { status: "done" } });
}

it("runs each at its point, those before the drain of the release that runs", async () => {
  const note = "echo $SIDING_HOOK $SIDING_VERSION >> $NOTES";
  const probe = 'bash -c "exec 3<>/dev/tcp/$ADDRESS/$PORT" && echo $SIDING_HOOK reaches it >> $NOTES';
  const v2 = await targetWith("v2", { beforeUpdate: note, afterUpdate: note, beforeRejoin: probe });
  await rig.does({ kind: "stage", target: v2 });
  const drained = await rig.does({ kind: "drain", target: v1, edges: ["127.0.0.1"] });
  expect(Object.keys(drained.command?.timings ?? {}).sort()).toEqual(["beforeDrainMs", "drainMs"]);
  await rig.does({ kind: "update", target: v2 });
  const verified = await rig.does({ kind: "verify", target: v2, holdMs: 0, attempt: 1 });
  expect(verified).toMatchObject({ running: v2.id, command: { status: "done" } });
  expect(notes()).toEqual(["beforeDrain v1", "beforeUpdate v2", "afterUpdate v2", "beforeRejoin reaches it"]);
});

it("fails the step with what it printed, before anything is stopped", async () => {
  const report = await update(await targetWith("v3", { beforeUpdate: "echo 'no space left' >&2; exit 4" }));
  expect(report).toMatchObject({
    running: v1.id,
    command: { status: "failed", failure: { code: "hook-failed", output: "no space left" } },
  });
  expect(report.command?.failure?.message).toMatch(/^hook beforeUpdate .* ended with exit code 4$/);
  await isStillWell();
});

it("ends one that never ends, with the children that it forked", async () => {
  const forks = "sleep 1000 & echo $! > $NOTES.forked; setsid sleep 1000 & echo begun; wait";
  const stuck = await targetWith("v4", { beforeUpdate: forks }, { timeoutMs: 500 });
  const report = await update(stuck);
  expect(report.command?.failure).toMatchObject({ code: "hook-timeout", output: "begun" });
  expect(report.command?.failure?.message).toContain("did not end within 500ms");
  expect(rig.servicePids()).toHaveLength(1);
  await isStillWell();
});

it("killed in the middle of one, it ends that and does not run it again", async () => {
  const stuck = await targetWith("v5", { beforeUpdate: "echo once >> $NOTES.once; sleep 1000" });
  await rig.does({ kind: "stage", target: stuck });
  const revision = await rig.tell({ kind: "update", target: stuck });
  await until("the hook", () => existsSync(`${notesPath()}.once`));
  await until("its report", () => rig.said()?.command?.hook === "beforeUpdate");
  rig.kill();
  await rig.upAndHeard();
  const report = await rig.over(revision);
  expect(report.command?.failure).toMatchObject({ code: "hook-unknown" });
  expect(readFileSync(`${notesPath()}.once`, "utf8")).toBe("once\n");
  // Of everything that bears this agent's mark only the service is left.
  expect(rig.servicePids()).toHaveLength(1);
  await isStillWell();
});

it("killed in the middle of one that may run twice, it runs it again", async () => {
  const script = "echo $SIDING_HOOK_ATTEMPT >> $NOTES.twice; test $SIDING_HOOK_ATTEMPT = 2 || sleep 1000";
  const patient = await targetWith("v6", { beforeUpdate: script }, { idempotent: true });
  await rig.does({ kind: "stage", target: patient });
  const revision = await rig.tell({ kind: "update", target: patient });
  await until("the hook", () => existsSync(`${notesPath()}.twice`));
  rig.kill();
  await rig.upAndHeard();
  expect(await rig.over(revision)).toMatchObject({ running: patient.id, command: { status: "done" } });
  expect(readFileSync(`${notesPath()}.twice`, "utf8")).toBe("1\n2\n");
});

it("asks the host's admin before anything changes", async () => {
  const report = await rig.does({
    kind: "stage",
    target: await targetWith("v7", { beforeRejoin: "true" }, { user: "daemon" }),
  });
  expect(report.command?.failure).toMatchObject({ code: "user-not-allowed" });
});
