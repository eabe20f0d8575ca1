import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { StepFailure } from "@siding/shared/report";
import type { Target } from "@siding/shared/target";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AgentRig, until } from "./testing/rig.ts";

let rig: AgentRig;
let v1: Target;
let v2: Target;

beforeAll(async () => {
  rig = await AgentRig.up();
  [v1, v2] = [await rig.target("v1"), await rig.target("v2")];
  await rig.upAndHeard();
});
afterAll(async () => {
  await rig.down();
});

describe("what goes wrong with a release", () => {
  const failureOf = async (target: Target): Promise<StepFailure | undefined> => {
    await rig.does({ kind: "stage", target });
    await rig.does({ kind: "update", target });
    const report = await rig.does({ kind: "verify", target, holdMs: 0, attempt: 1 });
    return report.command?.failure;
  };
  const impatient = (target: Target): Target => ({
    ...target,
    spec: { ...target.spec, health: { ...target.spec.health, graceMs: 700 } },
  });
  const serving = (body: string) => ({ "server.cjs": `require("node:http").createServer(${body}` });

  it("says how it ended and what it said", async () => {
    const failure = await failureOf(
      await rig.target("broken", { "server.cjs": 'console.error("no such table: users"); process.exit(3);' }),
    );
    expect(failure).toEqual({
      code: "process-exited",
      message: "the process ended with exit code 3",
      output: "no such table: users",
    });
  });

  it("names the last answer: status 500", async () => {
    const files = serving(
      "(_, response) => response.writeHead(500).end()).listen(process.env.PORT, process.env.ADDRESS)",
    );
    expect(await failureOf(impatient(await rig.target("sick", files)))).toMatchObject({
      code: "health-grace",
      message: `not healthy within 700ms; the last answer of http://127.0.1.1:${rig.port}/healthz: status 500`,
    });
  });

  it("names the last answer: no answer", async () => {
    const files = serving("() => {}).listen(process.env.PORT, process.env.ADDRESS)");
    const silent = impatient(await rig.target("silent", files));
    silent.spec.health.timeoutMs = 100;
    expect((await failureOf(silent))?.message).toMatch(/the last answer of \S+: timeout$/);
  });

  it("names the last answer: it listens elsewhere", async () => {
    const files = serving('(_, response) => response.end()).listen(process.env.PORT, "127.0.0.1")');
    const failure = await failureOf(impatient(await rig.target("hidden", files)));
    expect(failure?.message).toMatch(/the last answer of http:.*: connection refused/);
  });

  it("names who has its port", async () => {
    const squatter = createServer().listen(rig.port, "127.0.1.1");
    try {
      await rig.does({ kind: "stage", target: v1 });
      const report = await rig.does({ kind: "update", target: v1 });
      expect(report).toMatchObject({ running: null, command: { failure: { code: "port-in-use" } } });
      expect(report.command?.failure?.message).toMatch(
        new RegExp(
          `^127.0.1.1:${rig.port} is in use: pid ${process.pid} \\(.+\\) listens on 127.0.1.1:${rig.port}$`,
        ),
      );
    } finally {
      squatter.close();
    }
  });

  it("names the program that is not there", async () => {
    const target = await rig.target(
      "absent",
      {},
      { run: { command: ["./nothing"], env: {}, stopGraceMs: 100 } },
    );
    await rig.does({ kind: "stage", target });
    const report = await rig.does({ kind: "update", target });
    expect(report.command?.failure).toMatchObject({ code: "start-failed" });
    expect(report.command?.failure?.message).toContain("ENOENT");
  });

  it.skipIf(process.getuid?.() !== 0)(
    "runs as the user and with the secrets that the spec names",
    async () => {
      const envFile = join(rig.folder, "web.env");
      writeFileSync(envFile, "SECRET=s3cret\nFROM_BOTH=file\n", { mode: 0o600 });
      const run = {
        command: [process.execPath, "server.cjs"],
        env: { FROM_BOTH: "spec" },
        stopGraceMs: 5_000,
      };
      await rig.deploy(await rig.target("as-nobody", {}, { run: { ...run, user: "nobody", envFile } }));
      const [pid = 0] = rig.servicePids();
      const environ = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      expect(environ).toEqual(
        expect.arrayContaining(["SECRET=s3cret", "FROM_BOTH=spec", "HOME=/nonexistent"]),
      );
      expect(statSync(`/proc/${pid}`).uid).not.toBe(0);
    },
  );

  it.each([
    ["user-not-allowed", { user: "root" }, "'root' is not in allow.users"],
    ["user-missing", { user: "ghost" }, "no user 'ghost'"],
    ["env-file-missing", { envFile: "/nowhere/web.env" }, "/nowhere/web.env"],
  ])("refuses by name, while it stages, what its config does not allow: %s", async (code, change, words) => {
    const run = { command: [process.execPath, "server.cjs"], env: {}, stopGraceMs: 100, ...change };
    const report = await rig.does({ kind: "stage", target: await rig.target(code, {}, { run }) });
    expect(report.command?.failure?.code).toBe(code);
    expect(report.command?.failure?.message).toContain(words);
  });

  it("refuses a unit, since it runs children", async () => {
    const run = { unit: "web@.service", stopGraceMs: 100 };
    const report = await rig.does({ kind: "stage", target: await rig.target("unit", {}, { run }) });
    expect(report.command?.failure?.code).toBe("unit-needs-systemd");
  });

  it("does not stop what serves for a release that is not staged", async () => {
    await rig.deploy(v1);
    const report = await rig.does({ kind: "update", target: v2 });
    expect(report).toMatchObject({ running: v1.id, command: { failure: { code: "release-missing" } } });
    expect(await rig.answers()).toBe("v1");
  });

  it("gives what its health command printed, and ends one that forks and hangs", async () => {
    const command = ["sh", "-c", "sleep 1000 & echo $! >> forked; echo waits for $PORT; wait"];
    const health = { command, intervalMs: 50, timeoutMs: 100, rise: 2, graceMs: 700 };
    const failure = await failureOf(await rig.target("hangs", {}, { health }));
    expect(failure).toMatchObject({ code: "health-grace", output: `waits for ${rig.port}` });
    expect(failure?.message).toMatch(/^not healthy within 700ms; the last run of 'sh -c .*': timeout$/);
    const forked = readFileSync(join(rig.folder, "releases", "web", "blue", "forked"), "utf8").trim();
    for (const pid of forked.split("\n")) await until(`the end of ${pid}`, () => !existsSync(`/proc/${pid}`));
  });

  it("kills what does not heed SIGTERM, after its grace", async () => {
    const files = serving(
      '(_, response) => response.end()).listen(process.env.PORT, process.env.ADDRESS); process.on("SIGTERM", () => {})',
    );
    const stubborn = await rig.target("stubborn", files);
    stubborn.spec.run.stopGraceMs = 200;
    await rig.deploy(stubborn);
    await rig.does({ kind: "stage", target: v1 });
    const report = await rig.does({ kind: "update", target: v1 });
    expect(report.command?.status).toBe("done");
    expect(report.command?.timings.stopMs).toBeGreaterThanOrEqual(200);
  });

  it("is a tampered or truncated artifact: refused, and nothing is left of it", async () => {
    const bytes = Buffer.from("not what was registered");
    const lies = [
      ["artifact-digest-mismatch", Buffer.from("NOT what was registered")],
      ["artifact-truncated", bytes.subarray(0, 5)],
    ] as const;
    for (const [code, lie] of lies) {
      const target = rig.targetOf(rig.offer(code, bytes, lie));
      const report = await rig.does({ kind: "stage", target });
      expect(report.command?.failure?.code).toBe(code);
    }
    const left = readdirSync(join(rig.folder, "releases", "web", "releases"));
    expect(left.filter((name) => name.startsWith("artifact-") || name.startsWith("."))).toEqual([]);
  });
});
