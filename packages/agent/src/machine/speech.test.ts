import { type InstanceReport, Report, type StateReport, type UpstreamReport } from "@siding/shared/report";
import { stateDigest } from "@siding/shared/state-digest";
import { describe, expect, it } from "vitest";
import { contentOf, revisionOf, targetOf, World } from "./world.fixture.ts";

/** What a control plane that only stores the newest reports comes to. */
function digestOfReports(world: World): string {
  const instances = new Map<string, InstanceReport>();
  const upstreams = new Map<string, UpstreamReport>();
  for (const report of world.reports.filter((each): each is StateReport => each.kind === "state")) {
    const received = Report.parse(JSON.parse(JSON.stringify(report)));
    if (received.kind !== "state") throw new Error("a state report became another one");
    for (const each of received.instances) instances.set(`${each.service}/${each.slot}`, each);
    for (const each of received.upstreams) upstreams.set(each.upstream, each);
  }
  return stateDigest(instances.values(), upstreams.values());
}

function lastDigest(world: World): string | undefined {
  const last = world.beats.at(-1);
  return last?.kind === "send-beat" ? last.stateDigest : undefined;
}

describe("an agent", () => {
  it("beats with the digest of what it has reported, whatever drains meanwhile", () => {
    const world = new World();
    world.run(10);
    world.deploy(targetOf("v1"), 1);
    world.send(revisionOf(world, 7, contentOf(["h1"], { h2: 1 })));
    world.answers["count-connections"] = ({ op, service, slot }) => {
      const value = [{ address: "10.0.0.2", count: (world.nowMs % 7) + 1 }];
      return { kind: "connections-counted", op, service, slot, result: { ok: true, value } };
    };
    world.tell(10, { kind: "drain", target: targetOf("v1"), edges: ["10.0.0.2"] });
    world.run(25_000);
    expect(world.beats.length).toBe(3);
    expect(lastDigest(world)).toBe(digestOfReports(world));
  });

  it("says everything on a new connection, and nothing while there is none", () => {
    const world = new World();
    world.run(10);
    world.happen({ kind: "disconnected" });
    const before = world.reports.length;
    world.deploy(targetOf("v1"), 1);
    expect(world.reports.length).toBe(before);
    world.happen({ kind: "connected", beatOffset: 0.5 });
    expect(world.reports.at(-1)).toMatchObject({ full: true, instances: [{ running: targetOf("v1").id }] });
  });

  it("says with everything which list an edge has accepted, and not at each change", () => {
    const world = new World();
    world.run(10);
    world.send(revisionOf(world, 7, contentOf(["h1"])));
    world.run(100);
    const lists = () => world.reports.flatMap((report) => (report.kind === "state" ? report.lists : []));
    expect(world.reports.length).toBeGreaterThan(1);
    expect(lists()).toEqual([]);
    world.happen({ kind: "disconnected" });
    world.happen({ kind: "connected", beatOffset: 0.5 });
    expect(lists()).toMatchObject([{ upstream: "web", revision: 7, members: [{ hostId: "h1" }] }]);
  });

  it("does not repeat itself", () => {
    const world = new World();
    world.run(10);
    world.deploy(targetOf("v1"), 1);
    const before = world.reports.length;
    world.run(60_000);
    expect(world.reports.length).toBe(before);
  });

  it("says of a service that stays bad that it is bad, once", () => {
    const world = new World();
    world.run(10);
    world.deploy(targetOf("v1"), 1);
    world.answers.probe = ({ op, owner }) => ({ kind: "probed", op, owner, answer: { kind: "timeout" } });
    world.run(10_000);
    expect(world.said()).toMatchObject({ health: "bad" });
    const before = world.reports.length;
    world.run(60_000);
    expect(world.reports.length).toBe(before);
  });

  it("cuts what is too long for a report to what a report takes", () => {
    const world = new World();
    world.run(10);
    world.deploy(targetOf("v1"), 1);
    world.crash(1, `${"x".repeat(100_000)}the end`);
    expect(world.said().trouble?.output).toMatch(/xthe end$/);
    expect(() => Report.parse(world.reports.at(-1))).not.toThrow();
  });
});
