import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentRig, until } from "./testing/rig.ts";

let rig: AgentRig;

beforeEach(async () => {
  rig = await AgentRig.up();
});
afterEach(async () => {
  await rig.down();
});

describe("a host's agent", () => {
  it("brings a service to serve, moves it to the next release and back", async () => {
    await rig.upAndHeard();
    const [v1, v2] = [await rig.target("v1"), await rig.target("v2")];
    await rig.deploy(v1);
    expect(await rig.answers()).toBe("v1");
    await rig.does({ kind: "stage", target: v2 });
    const drained = await rig.does({ kind: "drain", target: v1, edges: ["127.0.0.1"] });
    expect(drained.command?.timings.drainMs).toBeGreaterThanOrEqual(40);
    const updated = await rig.does({ kind: "update", target: v2 });
    expect(Object.keys(updated.command?.timings ?? {}).sort()).toEqual(["startMs", "stopMs"]);
    await rig.does({ kind: "verify", target: v2, holdMs: 0 });
    expect(await rig.answers()).toBe("v2");
    expect(rig.said()).toMatchObject({ running: v2.id, health: "good" });
    await rig.does({ kind: "revert", target: v1 });
    await rig.does({ kind: "verify", target: v1, holdMs: 0 });
    expect(await rig.answers()).toBe("v1");
    expect(rig.servicePids().length).toBe(1);
  });
});
