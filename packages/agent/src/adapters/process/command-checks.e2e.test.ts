import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address, ServiceName } from "@siding/shared/ids";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ProbeAnswer } from "../../machine/event.ts";
import { targetOf } from "../../machine/world.fixture.ts";
import type { CheckOrder } from "../../ports/checks.ts";
import { until } from "../../testing/rig.ts";
import { CommandChecks, endForgottenChecks } from "./command-checks.ts";
import { checkMarkerOf } from "./marker.ts";
import { isAlive, parseRef, refOfPid } from "./proc.ts";

let folder: string;
let service: ChildProcess;
let checks: CommandChecks;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "siding-checks-"));
  service = sleeper({ FROM_UNIT: "unit", NOTIFY_SOCKET: "/run/notify", PATH: "/usr/bin:/bin" });
  checks = new CommandChecks({ owner: folder, address: "127.0.1.1" as Address });
});
afterEach(() => {
  checks.close();
  endForgottenChecks(folder);
  service.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function sleeper(env: NodeJS.ProcessEnv, more: { uid?: number; gid?: number } = {}): ChildProcess {
  return spawn("/usr/bin/sleep", ["1000"], { env, stdio: "ignore", detached: true, ...more });
}

function order(script: string, change: Partial<CheckOrder> = {}): CheckOrder {
  return {
    service: "web" as ServiceName,
    slot: "blue",
    target: targetOf("v1"),
    port: 8080,
    process: refOfPid(service.pid ?? 0) ?? "",
    folder,
    command: ["sh", "-c", script],
    timeoutMs: 10_000,
    ...change,
  };
}

function answerOf(script: string, change: Partial<CheckOrder> = {}): Promise<ProbeAnswer> {
  return checks.run(order(script, change));
}

/** What a script wrote beside it, once it is there. */
function written(name: string): Promise<string> {
  return until(name, () => existsSync(join(folder, name)) && readFileSync(join(folder, name), "utf8").trim());
}

async function isGone(name: string): Promise<void> {
  const pid = Number(await written(name));
  const ref = parseRef(refOfPid(pid) ?? "");
  await until(`the end of ${name}`, () => ref === null || !isAlive(ref));
}

describe("a health command", () => {
  it("is good with exit code 0, and else says how it ended and what it printed", async () => {
    expect(await answerOf("echo fine")).toEqual({ kind: "exit", code: 0, signal: null, output: "" });
    expect(await answerOf("echo one; echo no such table: users >&2; exit 3")).toEqual({
      kind: "exit",
      code: 3,
      signal: null,
      output: "one\nno such table: users",
    });
    expect(await answerOf("kill -TERM $$")).toMatchObject({ code: null, signal: "SIGTERM" });
  });

  it("keeps the end of a long output", async () => {
    const answer = await answerOf("yes filler | head -c 200000; echo the end; exit 1");
    const output = answer.kind === "exit" ? answer.output : "";
    expect(output).toMatch(/the end$/);
    expect(output.length).toBeLessThanOrEqual(8_192);
  });

  it("names the program that is not there, and the service that is gone", async () => {
    expect(await answerOf("", { command: ["./no-such-program"] })).toMatchObject({
      kind: "error",
      message: expect.stringContaining("./no-such-program could not be started") as unknown,
    });
    const process = "4194304:1:00000000-0000-0000-0000-000000000000";
    expect(await answerOf("true", { process })).toEqual({
      kind: "error",
      message: "the service's process is gone",
    });
  });

  it("has the service's environment, its folder and what the spec says", async () => {
    const run = { command: ["x"], env: { MESSAGE: "from spec" }, stopGraceMs: 1 };
    await answerOf("env > env; pwd > pwd", { target: targetOf("v1", { run }) });
    const env = (await written("env")).split("\n");
    expect(env).toEqual(
      expect.arrayContaining([
        "FROM_UNIT=unit",
        "MESSAGE=from spec",
        "ADDRESS=127.0.1.1",
        "PORT=8080",
        "SIDING_SLOT=blue",
        "SIDING_VERSION=v1",
      ]),
    );
    expect(env.filter((line) => line.startsWith("NOTIFY_SOCKET"))).toEqual([]);
    expect(await written("pwd")).toBe(folder);
  });

  it.skipIf(process.getuid?.() !== 0)("runs as whoever the service runs as", async () => {
    const nobody = sleeper({ PATH: "/usr/bin:/bin" }, { uid: 65_534, gid: 65_534 });
    const answer = await answerOf("id -u; exit 1", { process: refOfPid(nobody.pid ?? 0) ?? "" });
    nobody.kill("SIGKILL");
    expect(answer).toMatchObject({ output: "65534" });
  });
});

describe("a health command that does not end, or forks", () => {
  it("is killed when its time is over, with everything that it has started", async () => {
    const answer = await answerOf("sleep 1000 & echo $! > child; echo waiting; wait", { timeoutMs: 300 });
    expect(answer).toEqual({ kind: "timeout", output: "waiting" });
    await isGone("child");
  });

  it("leaves nothing of its group behind when it ends well", async () => {
    expect(await answerOf("sleep 1000 & echo $! > child")).toMatchObject({ code: 0 });
    await isGone("child");
  });

  it("is found where it has left its group", async () => {
    const leaving =
      "setsid sh -c 'echo $$ > child; exec sleep 1000' >/dev/null 2>&1 & while [ ! -s child ]; do :; done";
    expect(await answerOf(`${leaving}; wait`, { timeoutMs: 500 })).toMatchObject({ kind: "timeout" });
    await isGone("child");
  });

  it("is ended by the next agent where the last one was killed", async () => {
    const left = spawn("/usr/bin/sleep", ["1000"], {
      env: checkMarkerOf(folder, { service: "web" as ServiceName, slot: "blue" }),
      stdio: "ignore",
      detached: true,
    });
    const ref = parseRef(refOfPid(left.pid ?? 0) ?? "");
    expect(ref !== null && isAlive(ref)).toBe(true);
    endForgottenChecks(folder);
    await until("its end", () => ref !== null && !isAlive(ref));
  });
});

describe("health commands", () => {
  const noting = "echo + >> log; sleep 0.2; echo - >> log";
  const mostAtOnce = () => {
    let [now, most] = [0, 0];
    for (const line of readFileSync(join(folder, "log"), "utf8").trim().split("\n")) {
      now += line === "+" ? 1 : -1;
      most = Math.max(most, now);
    }
    return most;
  };

  it("are never two at once for one instance: the newer run ends the older", async () => {
    const older = answerOf("echo $$ > older; sleep 1000");
    const pid = Number(await written("older"));
    const waiting = answerOf("touch waited");
    const newer = answerOf(`[ -d /proc/${pid} ] && exit 7; exit 0`);
    expect(await newer).toMatchObject({ kind: "exit", code: 0 });
    expect(await older).toMatchObject({ kind: "exit", signal: "SIGKILL" });
    expect(await waiting).toEqual({ kind: "error", message: "given up" });
    expect(existsSync(join(folder, "waited"))).toBe(false);
  });

  it("are few at once for a host", async () => {
    writeFileSync(join(folder, "log"), "");
    const services = Array.from({ length: 10 }, (_, index) => `s${index}` as ServiceName);
    const answers = await Promise.all(services.map((name) => answerOf(noting, { service: name })));
    expect(answers.every((answer) => answer.kind === "exit" && answer.code === 0)).toBe(true);
    expect(mostAtOnce()).toBeLessThanOrEqual(4);
  });
});
