import { Command } from "@siding/shared/command";
import type { ControlPlaneId, HostId, Incarnation } from "@siding/shared/ids";
import { describe, expect, it } from "vitest";
import { type Scene, scene } from "../scene/scene.ts";
import { intake } from "./intake.ts";
import { emptySentLog, outbox } from "./outbox.ts";

const stamp = { epoch: 1, controlPlaneId: "cp" as ControlPlaneId };

function unsynced(stage: Scene) {
  const live = { connectedSinceMs: 0, beats: new Map() };
  return (nowMs: number, sent = emptySentLog()) => outbox(stage.state, live, stamp, sent, nowMs);
}

describe("the outbox", () => {
  it("says what is committed and unanswered, in the shape that agents parse", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    stage.decide();
    const { commands } = unsynced(stage)(0);
    expect(commands.map((command) => [command.hostId, command.kind])).toEqual([
      ["h1", "stage"],
      ["h2", "stage"],
      ["h3", "stage"],
      ["h4", "stage"],
    ]);
    for (const command of commands)
      expect(Command.safeParse(JSON.parse(JSON.stringify(command))).success).toBe(true);
  });

  it("repeats with growing pauses until it is answered", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    stage.decide();
    const say = unsynced(stage);
    const first = say(0);
    expect(first.wakeAtMs).toBe(250);
    expect(say(249, first.sent).commands).toEqual([]);
    const second = say(250, first.sent);
    expect(second.commands).toHaveLength(4);
    expect(second.wakeAtMs).toBe(750);
    stage.answer();
    expect(say(750, second.sent).commands).toEqual([]);
  });

  it("sends the newest revision to edges that lag, and none to an edge that has it", () => {
    const stage = scene({ edges: 2 });
    stage.behaviours.set("e2", { silent: true });
    stage.admit({ version: "v2" });
    for (let round = 0; round < 4; round += 1) {
      stage.decide();
      stage.answer();
    }
    const edges = unsynced(stage)(0).commands.filter((command) => command.kind === "apply-revision");
    expect(edges.map((command) => command.hostId)).toEqual(["e2"]);
    expect(edges[0]?.revision).toBe(stage.snapshot.upstream.revision);
  });

  it("tells an edge nothing older than it has accepted, also where its nginx refused that", () => {
    const stage = scene({ edges: 1 });
    stage.admit({ version: "v2" });
    stage.settle();
    const edge = stage.state.hosts.get("e1" as HostId);
    const report = edge?.upstreams.web;
    if (!edge || !report) throw new Error("the edge has not reported");
    const { revision } = stage.snapshot.upstream;
    const refused = { revision: revision + 1, message: "no" };
    const upstreams = (accepted: number) => ({
      web: { ...report, revision: accepted, serving: null, refused },
    });
    const told = (accepted: number) => {
      stage.state.hosts.set(edge.hostId, { ...edge, upstreams: upstreams(accepted) });
      return unsynced(stage)(0).commands.flatMap(({ kind, hostId }) =>
        hostId === edge.hostId && kind === "apply-revision" ? [kind] : [],
      );
    };
    expect(told(revision)).toEqual(["apply-revision"]);
    expect(told(revision + 1)).toEqual([]);
  });

  it("asks for the whole state where a beat shows another one than is known", () => {
    const stage = scene({ hosts: 1, edges: 1, deployed: false });
    const asked = outbox(stage.state, stage.live, stamp, emptySentLog(), 0).commands;
    expect(asked.map((command) => command.kind)).toEqual(["sync", "sync"]);
    expect(Command.safeParse(asked[0]).success).toBe(true);
  });
});

describe("the intake", () => {
  it("says nothing twice, and voids what a new incarnation never heard of", () => {
    const stage = scene();
    // That of the control plane that the scene's agents have heard.
    stage.state.epoch = 1;
    stage.admit({ version: "v2" });
    stage.decide();
    const host = [...stage.state.hosts.values()].find(({ hostId }) => hostId === "h1");
    if (!host?.facts || !host.incarnation) throw new Error("h1 has not joined");
    const instances = Object.values(host.instances).flatMap(({ report }) => report ?? []);
    const report = {
      v: 1 as const,
      kind: "state" as const,
      full: true,
      hostId: host.hostId,
      sequence: 9,
      facts: host.facts,
      instances,
      upstreams: [],
      lists: [],
    };
    expect(intake(stage.state, { ...report, incarnation: host.incarnation })).toEqual([]);
    const reborn = intake(stage.state, { ...report, incarnation: "i-2" as Incarnation });
    expect(reborn).toMatchObject([{ type: "host-reported", voided: [{ service: "web", slot: "blue" }] }]);
    stage.commit(reborn);
    expect(stage.rollout().status).toBe("running");
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
    const partial = { ...report, full: false, incarnation: "i-3" as Incarnation };
    expect(intake(stage.state, partial)).toEqual([]);
  });
});
