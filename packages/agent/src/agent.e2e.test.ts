import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { InstanceCommandBody } from "@siding/shared/command";
import type { Target } from "@siding/shared/target";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentRig, until } from "./testing/rig.ts";

let rig: AgentRig;
let v1: Target;
let v2: Target;

beforeEach(async () => {
  rig = await AgentRig.up();
  [v1, v2] = [await rig.target("v1"), await rig.target("v2")];
  await rig.upAndHeard();
});
afterEach(async () => {
  await rig.down();
});

describe("a host's agent", () => {
  it("brings a service to serve, moves it to the next release and back", async () => {
    await rig.deploy(v1);
    expect(await rig.answers()).toBe("v1");
    await rig.does({ kind: "stage", target: v2 });
    const drained = await rig.does({ kind: "drain", target: v1, edges: ["127.0.0.1"] });
    expect(drained.command?.timings.drainMs).toBeGreaterThanOrEqual(40);
    const updated = await rig.does({ kind: "update", target: v2 });
    expect(Object.keys(updated.command?.timings ?? {}).sort()).toEqual(["startMs", "stopMs"]);
    await rig.does({ kind: "verify", target: v2, holdMs: 0, attempt: 1 });
    expect(await rig.answers()).toBe("v2");
    expect(rig.said()).toMatchObject({ running: v2.id, health: "good" });
    await rig.does({ kind: "revert", target: v1 });
    await rig.does({ kind: "verify", target: v1, holdMs: 0, attempt: 1 });
    expect(await rig.answers()).toBe("v1");
    expect(rig.servicePids().length).toBe(1);
  });

  it("keeps five releases on its disk, what serves, and what served before: also over its own death", async () => {
    await rig.deploy(v1);
    await rig.deploy(v2);
    for (let number = 3; number <= 9; number += 1) {
      if (number === 6) {
        rig.kill();
        await rig.upAndHeard();
      }
      await rig.does({ kind: "stage", target: await rig.target(`v${number}`) });
    }
    const folders = () =>
      readdirSync(join(rig.folder, "releases", "web", "releases"))
        .filter((name) => !name.endsWith(".json"))
        .map((name) => name.split("-")[0]);
    const kept = ["v1", "v2", "v5", "v6", "v7", "v8", "v9"];
    await until("the rest to be deleted", () => folders().length === kept.length);
    expect(new Set(folders())).toEqual(new Set(kept));
    expect(readlinkSync(join(rig.folder, "releases", "web", "blue"))).toContain("v2-");
    expect((await rig.does({ kind: "revert", target: v1 })).command?.status).toBe("done");
    expect(rig.said()?.running).toBe(v1.id);
  });

  it("waits in a drain for the request in flight", async () => {
    await rig.deploy(v1);
    const slow = rig.answers("/slow");
    await until("the request in flight", () => rig.connections() > 0);
    const revision = await rig.tell({ kind: "drain", target: v1, edges: ["127.0.0.1"] });
    await until("its count", () => rig.said()?.command?.inFlight?.count === 1);
    expect((await rig.over(revision)).command?.status).toBe("done");
    expect(await slow).toBe("v1");
  });

  it("leaves services running when it is ended, finds them again, and stops them in a teardown", async () => {
    await rig.deploy(v1);
    const [pid] = rig.servicePids();
    expect(await rig.end("SIGTERM")).toBe(0);
    expect(rig.servicePids()).toEqual([pid]);
    expect(await rig.answers()).toBe("v1");
    await rig.upAndHeard();
    await until("its health", () => rig.said()?.health === "good");
    expect(rig.said()).toMatchObject({ running: v1.id });
    expect(rig.servicePids()).toEqual([pid]);
    expect(await rig.end("SIGINT")).toBe(0);
    expect(await rig.teardown()).toBe(0);
    expect(rig.servicePids()).toEqual([]);
  });

  it("starts what ended by itself, whether it was there or not", async () => {
    await rig.deploy(v1);
    const [first] = rig.servicePids();
    process.kill(first ?? 0, "SIGKILL");
    await until("the trouble", () => rig.said()?.trouble?.code === "process-exited");
    expect(rig.said()?.trouble?.message).toBe("the process ended by SIGKILL");
    await until("another process", () => rig.said()?.health === "good" && rig.said()?.running === v1.id);
    rig.kill();
    process.kill(rig.servicePids()[0] ?? 0, "SIGKILL");
    await until("its end", () => rig.servicePids().length === 0);
    await rig.upAndHeard();
    await until("a third process", () => rig.said()?.health === "good" && rig.said()?.running === v1.id);
  });

  it("notices the end of a process that an earlier agent has started", async () => {
    await rig.deploy(v1);
    rig.kill();
    await rig.upAndHeard();
    process.kill(rig.servicePids()[0] ?? 0, "SIGKILL");
    const report = await until("the trouble", () => (rig.said()?.trouble ? rig.said() : null));
    expect(report?.trouble?.message).toContain("exit code is unknown");
    await until("another process", () => rig.said()?.health === "good");
  });

  it("comes back by itself when NATS does, everything first", async () => {
    await rig.deploy(v1);
    rig.stopNats();
    await until("the loss", () => rig.agentLog.includes("disconnected"));
    const before = rig.reports.length;
    await rig.startNats();
    // Whoever of the two is back first: what the agent says to nobody is lost, so the control plane asks.
    await until("a report", () => {
      rig.sync();
      return rig.reports.length > before;
    });
    expect(rig.reports[before]).toMatchObject({ kind: "state", full: true, instances: [{ running: v1.id }] });
  });

  it("beats with its load", async () => {
    await until("two beats", () => rig.beats.length >= 2);
    expect(rig.beats.at(-1)?.load.memory).toBeGreaterThan(0);
  });

  const forking = () =>
    rig.target("forking", {
      "server.cjs": `
        const { fork } = require("node:child_process");
        if (process.argv[2] === "child") setInterval(() => {}, 1000);
        else {
          fork(__filename, ["child"], { stdio: "ignore" });
          fork(__filename, ["child"], { stdio: "ignore", detached: true });
          require("node:http").createServer((_, response) => response.end()).listen(process.env.PORT, process.env.ADDRESS);
        }`,
    });

  it("stops a service's children with it", async () => {
    await rig.deploy(await forking());
    expect(rig.servicePids().length).toBe(3);
    await rig.does({ kind: "stage", target: v1 });
    await rig.does({ kind: "update", target: v1 });
    expect(rig.servicePids().length).toBe(1);
  });

  it("clears away the children of a service that ended while it was away", async () => {
    await rig.deploy(await forking());
    const before = rig.servicePids();
    rig.kill();
    process.kill(Math.min(...before), "SIGKILL");
    await until("its end", () => rig.servicePids().length === 2);
    await rig.upAndHeard();
    await until("another process", () => rig.said()?.health === "good");
    expect(rig.servicePids().filter((pid) => before.includes(pid))).toEqual([]);
    expect(rig.servicePids().length).toBe(3);
  });
});

describe("an agent that is killed", () => {
  const cases: [string, (target: Target) => InstanceCommandBody][] = [
    ["staging", (target) => ({ kind: "stage", target })],
    ["updating", (target) => ({ kind: "update", target })],
    ["verifying", (target) => ({ kind: "verify", target, holdMs: 500, attempt: 1 })],
    ["draining", (target) => ({ kind: "drain", target, edges: ["127.0.0.1"] })],
  ];

  it.each(cases)("while %s goes on after its restart, under another incarnation", async (_, body) => {
    await rig.deploy(v1);
    const slow = rig.answers("/slow");
    if (body(v2).kind === "update") await rig.does({ kind: "stage", target: v2 });
    const target = body(v1).kind === "verify" || body(v1).kind === "drain" ? v1 : v2;
    const before = rig.incarnation;
    rig.stallArtifacts = true;
    const revision = await rig.tell(body(target));
    rig.kill();
    rig.stallArtifacts = false;
    await rig.upAndHeard();
    const end = await rig.over(revision);
    expect(end.command).toMatchObject({ status: "done", kind: body(target).kind });
    expect(rig.incarnation).not.toBe(before);
    await slow.catch(() => "cut by the update");
    await until("one process", () => rig.servicePids().length === 1);
  });
});

describe("an agent that can't start", () => {
  const refusal = async (): Promise<string> => {
    rig.startAgent();
    const code = await new Promise<number | null>((resolve) => rig.agent?.once("exit", resolve));
    expect(code).toBe(1);
    return rig.agentLog;
  };

  it("says which journal it can't read, and what to do", async () => {
    await rig.end("SIGTERM");
    const path = join(rig.folder, "data", "journal.json");
    writeFileSync(path, '{"v":1,"bootId":');
    expect(await refusal()).toContain(`the journal ${path} can't be read`);
    expect(readFileSync(path, "utf8")).toBe('{"v":1,"bootId":');
  });

  it("says that another agent has its data folder", async () => {
    const first = rig.agent;
    expect(await refusal()).toContain(`runs already: pid ${first?.pid}`);
    first?.kill("SIGKILL");
  });

  it("takes the place of one that was killed", async () => {
    rig.kill();
    await rig.upAndHeard();
    expect(existsSync(join(rig.folder, "data", "agent.lock"))).toBe(true);
  });
});
