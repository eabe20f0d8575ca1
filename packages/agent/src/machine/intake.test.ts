import { Command } from "@siding/shared/command";
import { contentDigest } from "@siding/shared/digest";
import type { CommandId, ControlPlaneId, HostId, Incarnation } from "@siding/shared/ids";
import { encodeMessage, parseMessage } from "@siding/shared/message";
import type { RefusalCode } from "@siding/shared/report";
import { describe, expect, it } from "vitest";
import { contentOf, revisionOf, service, targetOf, World } from "./world.fixture.ts";

const v1 = targetOf("v1");

function ready(): World {
  const world = new World();
  world.run(10);
  return world;
}

const stage = (world: World, revision: number): Command => ({
  ...world.envelope(revision),
  kind: "stage",
  service,
  slot: "blue",
  target: v1,
});

function lastRefusal(world: World): RefusalCode | undefined {
  return world.reports.filter((each) => each.kind === "refused").at(-1)?.code;
}

describe("a command", () => {
  it("is reported as accepted only after it is in the journal", () => {
    const world = ready();
    world.asked.length = 0;
    world.send(stage(world, 5));
    expect(world.asked.map((each) => each.kind)).toEqual(["write-journal", "stage-release", "send-report"]);
    expect(world.said()).toMatchObject({ revision: 5, command: { commandId: "c5", status: "running" } });
  });

  it.each<[string, RefusalCode, (world: World) => Command]>([
    ["for another host", "wrong-host", (world) => ({ ...stage(world, 6), hostId: "h2" as HostId })],
    ["of an older epoch", "stale-epoch", (world) => ({ ...stage(world, 6), epoch: 0 })],
    [
      "of a twin of the control plane",
      "foreign-control-plane",
      (world) => ({ ...stage(world, 6), controlPlaneId: "cp2" as ControlPlaneId }),
    ],
    [
      "for an earlier incarnation",
      "stale-incarnation",
      (world) => ({ ...stage(world, 6), incarnation: "inc0" as Incarnation }),
    ],
    ["older than the newest", "stale-revision", (world) => stage(world, 4)],
    [
      "of a used revision",
      "stale-revision",
      (world) => ({ ...stage(world, 5), commandId: "other" as CommandId }),
    ],
    [
      "whose content is not what it says",
      "digest-mismatch",
      (world) => ({ ...revisionOf(world, 7, contentOf([])), content: contentOf(["h2"]) }) as Command,
    ],
  ])("%s is refused: %s", (_, code, make) => {
    const world = ready();
    world.send(stage(world, 5));
    world.run(10);
    world.send(make(world));
    expect(lastRefusal(world)).toBe(code);
    expect(world.state.instances.get("web/blue")?.journal.command?.revision).toBe(5);
  });

  it("for an earlier incarnation is answered with everything", () => {
    const world = ready();
    world.send(stage(world, 5));
    world.run(10);
    world.send({ ...stage(world, 6), incarnation: "inc0" as Incarnation });
    expect(world.reports.at(-1)).toMatchObject({ kind: "state", full: true, instances: [{ service }] });
  });

  it("of an older epoch is answered with everything: a restored control plane learns how far the fleet is", () => {
    const world = ready();
    world.send({ ...world.envelope(5), kind: "sync", epoch: 7 });
    world.send(stage(world, 6));
    expect(lastRefusal(world)).toBe("stale-epoch");
    expect(world.reports.at(-1)).toMatchObject({ kind: "state", full: true, facts: { epochSeen: 7 } });
  });

  it("that comes twice is done once and answered twice", () => {
    const world = ready();
    world.send(stage(world, 5));
    world.run(10);
    const before = world.reports.length;
    world.send(stage(world, 5));
    world.run(10);
    expect(world.count("stage-release")).toBe(1);
    expect(world.reports.slice(before)).toMatchObject([
      { kind: "state", full: false, instances: [{ revision: 5 }] },
    ]);
  });

  it("of a newer epoch makes the older control plane a stranger", () => {
    const world = ready();
    world.send({ ...world.envelope(5), kind: "sync", epoch: 2, controlPlaneId: "cp2" as ControlPlaneId });
    expect(world.reports.at(-1)).toMatchObject({ full: true, facts: { epochSeen: 2 } });
    expect(world.journal.controlPlane).toEqual({ epoch: 2, controlPlaneId: "cp2" });
    world.send(stage(world, 6));
    expect(lastRefusal(world)).toBe("stale-epoch");
  });

  it("is dropped while the agent does not know yet what runs", () => {
    const world = new World();
    const before = world.reports.length;
    world.send(stage(world, 5));
    expect(world.reports.length).toBe(before);
    world.run(10);
    expect(world.reports[0]).toMatchObject({ full: true, sequence: 1, instances: [] });
  });

  it("of a newer control plane is judged by all that it says, also by what is unknown here", () => {
    const world = ready();
    const content = contentOf(["h1"]);
    const newer = {
      ...content,
      novelty: { deep: true },
      members: content.members.map((member) => ({ ...member, zone: "a" })),
      checks: Object.fromEntries(
        Object.entries(content.checks).map(([id, check]) => [id, { ...check, novel: 1 }]),
      ),
    };
    const sent = parseMessage(Command, encodeMessage(revisionOf(world, 7, newer)));
    if (!sent.ok) throw new Error(sent.error.message);
    world.send(sent.value);
    world.run(10);
    expect(lastRefusal(world)).toBeUndefined();
    expect(world.journal.upstreams).toMatchObject([
      { revision: 7, digest: contentDigest(newer), content: newer },
    ]);
  });

  it("with the highest revision is what the facts say", () => {
    const world = ready();
    world.send(revisionOf(world, 9, contentOf([])));
    world.send(stage(world, 5));
    expect(world.reports.at(-1)).toMatchObject({ facts: { revisionSeen: 9, epochSeen: 1 } });
  });
});
