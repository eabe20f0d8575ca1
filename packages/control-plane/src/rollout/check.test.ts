import { RolloutId } from "@siding/shared/ids";
import { describe, expect, it } from "vitest";
import { type Scene, scene } from "../scene/scene.ts";
import type { Action } from "./action.ts";
import { entryOf } from "./by-host.ts";
import { check } from "./check.ts";

/** A rollout of which h1 is out, drained and about to be updated. */
function underway(): Scene {
  const stage = scene();
  stage.admit({ version: "v2" });
  for (let round = 0; round < 50; round += 1) {
    stage.decide();
    if (entryOf(stage.rollout().hosts, "h1")?.phase === "updating") return stage;
    stage.answer();
  }
  throw new Error("h1 was never updated");
}

/** A batch of two, of which h1 is verified and waits for h2, which says nothing. */
function verified(): Scene {
  const stage = scene();
  stage.admit({ version: "v2", strategy: { kind: "rolling", batchSize: 2 } });
  for (let round = 0; round < 50; round += 1) {
    const [first, second] = stage.snapshot.hosts;
    if (second?.instance.command?.kind === "drain") stage.behaviours.set("h2", { silent: true });
    if (first?.instance.command?.kind === "verify" && first.instance.command.status === "done") return stage;
    if (stage.decide().length === 0) stage.answer();
  }
  throw new Error("h1 was never verified");
}

function rulesBroken(stage: Scene, actions: readonly Action[]): readonly number[] {
  return check(stage.rollout(), stage.snapshot, actions).map((violation) => violation.rule);
}

function revised(stage: Scene, keep: (hostId: string) => boolean): Action {
  const { content } = stage.snapshot.upstream;
  const members = content.members.filter((member) => keep(member.hostId));
  return { type: "upstream-revised", service: stage.service, content: { ...content, members } };
}

describe("the checker", () => {
  it("has nothing to say of what the core decides", () => {
    const stage = underway();
    expect(rulesBroken(stage, [])).toEqual([]);
  });

  it("refuses to go below the minimum (1)", () => {
    const stage = underway();
    expect(rulesBroken(stage, [revised(stage, (id) => id !== "h2")])).toEqual([]);
    expect(rulesBroken(stage, [revised(stage, (id) => id === "h4")])).toEqual([1]);
    expect(rulesBroken(stage, [revised(stage, () => false)])).toEqual([1]);
  });

  it("refuses to update undrained what has served, also where nothing runs at the moment (3)", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    const isOut = () => stage.snapshot.hosts[0]?.instance.command?.kind === "drain";
    while (!isOut()) if (stage.decide().length === 0) stage.answer();
    stage.say("h1", { running: null });
    const { to: target, id: rolloutId } = stage.rollout();
    const h1 = stage.rollout().plan.hosts.find(({ hostId }) => hostId === "h1");
    if (!h1) throw new Error("h1 is not planned");
    const { hostId, slot } = h1;
    const body = { kind: "update" as const, target };
    const told = { rolloutId, hostId, slot, service: stage.service, body, deadlineMs: 1_000 };
    expect(rulesBroken(stage, [{ type: "command-issued", ...told }])).toEqual([3]);
  });

  it("refuses to list what nobody verified (2)", () => {
    const stage = underway();
    const { content } = stage.snapshot.upstream;
    const [other] = content.members;
    if (!other) throw new Error("nobody is listed");
    const { to } = stage.rollout();
    const joined = { ...other, hostId: "h1" as typeof other.hostId, targetId: to.id };
    const action: Action = {
      type: "upstream-revised",
      service: stage.service,
      content: { ...content, members: [...content.members, joined] },
    };
    expect(rulesBroken(stage, [action])).toEqual([2]);
  });

  it("refuses to begin a second time what is to be done once, and anything before it is done (10)", () => {
    const stage = scene();
    stage.declare({ hooks: { beforeRollout: { command: ["./migrate"] } } });
    stage.behaviours.set("h1", { hangs: { kind: "hook", hook: "beforeRollout" } });
    stage.admit({ version: "v2" });
    const batch: Action = { type: "batch-started", rolloutId: stage.rollout().id, hosts: [], planned: 1 };
    expect(rulesBroken(stage, [batch])).toEqual([10]);
    stage.settle();
    const begun = stage.log.findLast(({ body }) => body.type === "command-issued")?.body;
    if (begun?.type !== "command-issued" || begun.body.kind !== "hook") throw new Error("no hook was begun");
    expect(rulesBroken(stage, [begun])).toEqual([10]);
    stage.behaviours.clear();
    for (let round = 0; round < 4; round += 1) {
      stage.answer();
      stage.decide();
    }
    expect(stage.rollout().batches).not.toEqual([]);
    expect(rulesBroken(stage, [begun])).toEqual([10]);
  });

  it.each(["drain", "update", "revert", "restart"] as const)(
    "refuses to %s what an edge may route to (3)",
    (kind) => {
      const stage = underway();
      const { to } = stage.rollout();
      const body = { kind, target: to, edges: [], shot: "r2" };
      const issue = (hostId: string): Action => ({
        type: "command-issued",
        rolloutId: RolloutId.parse("r2"),
        hostId: hostId as never,
        service: stage.service,
        slot: "blue",
        body,
        deadlineMs: 1_000,
      });
      expect(rulesBroken(stage, [issue("h2")])).toEqual([3]);
      expect(rulesBroken(stage, [issue("h1")])).toEqual([]);
    },
  );

  it("refuses a batch while somebody is silent (6), or the budget is spent (11)", () => {
    const stage = underway();
    const batch: Action = {
      type: "batch-started",
      rolloutId: stage.rollout().id,
      hosts: ["h2" as never],
      planned: 1,
    };
    expect(rulesBroken(stage, [batch])).toEqual([]);
    const spent = { ...stage.rollout(), failed: ["h1" as never] };
    expect(check(spent, stage.snapshot, [batch]).map(({ rule }) => rule)).toEqual([11]);
    stage.behaviours.set("h3", { silent: true });
    stage.pass(60_000);
    expect(rulesBroken(stage, [batch])).toEqual([6]);
  });

  it("refuses blame without a report, and a rollback for silence (6)", () => {
    const stage = underway();
    const { id: rolloutId } = stage.rollout();
    const failure = { code: "x", message: "x" };
    const blame: Action = {
      type: "host-failed",
      rolloutId,
      hostId: "h2" as never,
      phase: "updating",
      failure,
      counts: true,
      back: null,
    };
    expect(rulesBroken(stage, [blame])).toEqual([6]);
    const cause = { code: "host-silent", message: "x" };
    expect(rulesBroken(stage, [{ type: "intent-set", rolloutId, intent: "rollback", cause }])).toEqual([6]);
  });

  it("refuses to list whom a person holds, and lets one that is listed stay until it leaves (8)", () => {
    const stage = underway();
    const { content } = stage.snapshot.upstream;
    const hold = (hostId: string): void =>
      stage.commit([{ type: "host-held", hostId: hostId as never, kind: "drained", comment: null }]);
    const [other] = content.members;
    if (!other) throw new Error("nobody is listed");
    const members = [...content.members, { ...other, hostId: "h1" as typeof other.hostId }];
    const joins: Action = {
      type: "upstream-revised",
      service: stage.service,
      content: { ...content, members },
    };
    expect(rulesBroken(stage, [joins])).not.toContain(8);
    hold("h1");
    expect(rulesBroken(stage, [joins])).toContain(8);
    hold("h2");
    expect(rulesBroken(stage, [revised(stage, () => true)])).toEqual([]);
  });

  it("refuses to rest with somebody out who is well and in hand (8), not with one who was given up", () => {
    const stage = verified();
    const { id: rolloutId } = stage.rollout();
    const waiting = [{ code: "paused" as const, message: "x" }];
    const rests: Action = { type: "status-changed", rolloutId, status: "paused", waiting };
    const ends: Action = { type: "rollout-finished", rolloutId, status: "aborted", cause: null };
    expect(rulesBroken(stage, [rests])).toEqual([8]);
    expect(rulesBroken(stage, [ends])).toEqual([8]);
    const joined = revised(stage, () => true);
    if (joined.type !== "upstream-revised") throw new Error("no list");
    const [other] = joined.content.members;
    if (!other) throw new Error("nobody is listed");
    const targetId = stage.rollout().to.id;
    joined.content.members.push({ ...other, hostId: "h1" as typeof other.hostId, targetId });
    expect(rulesBroken(stage, [joined, rests])).not.toContain(8);
    const hostId = "h1" as typeof other.hostId;
    stage.commit([{ type: "host-settled", rolloutId, hostId, slot: "blue", on: null }]);
    expect(rulesBroken(stage, [rests])).toEqual([]);
  });

  it("refuses to end as rolled back with somebody missing or on the new target (9)", () => {
    const stage = underway();
    const { id: rolloutId } = stage.rollout();
    const end: Action = { type: "rollout-finished", rolloutId, status: "rolled-back", cause: null };
    expect(rulesBroken(stage, [end])).toEqual([9]);
  });
});
