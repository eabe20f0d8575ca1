import { HostId } from "@siding/shared/ids";
import { type Report, StateReport } from "@siding/shared/report";
import { makeTarget } from "@siding/shared/target";
import { describe, expect, it } from "vitest";
import { intake } from "../messaging/intake.ts";
import { entryOf } from "../rollout/by-host.ts";
import { type Scene, scene } from "../scene/scene.ts";
import { transcript } from "../scene/transcript.ts";
import { resumeFleet } from "./behind.ts";
import { decideAll } from "./decide.ts";
import { releaseOf } from "./declare.ts";
import { goneHosts } from "./holds.ts";

/** What an agent says after the ledger was put back to an earlier state: all that it knows, from a later revision. */
function afterRestore(stage: Scene, id: string, change: Readonly<Record<string, unknown>> = {}): StateReport {
  const host = stage.state.hosts.get(HostId.parse(id));
  if (!host?.facts) throw new Error(`${id} has not joined`);
  const instances = Object.values(host.instances).flatMap(({ report }) =>
    report ? [{ ...report, ...change }] : [],
  );
  const upstreams = Object.values(host.upstreams).map((report) => ({
    ...report,
    serving: report.serving && { ...report.serving, revision: 900 },
    revision: 900,
  }));
  return StateReport.parse({
    ...{ v: 1, hostId: id, incarnation: host.incarnation, sequence: 1, kind: "state", full: true },
    facts: { ...host.facts, epochSeen: 7, revisionSeen: 900 },
    instances,
    upstreams,
  });
}

/** A person has looked, and there is nothing to roll out. */
function goOn(stage: Scene): void {
  stage.commit(resumeFleet(stage.state, "compared"), "alice");
}

/** It is heard, and answers the epoch that begins with that. */
function hear(stage: Scene, report: Report): void {
  stage.commit(intake(stage.state, report), "agent");
  stage.answerEpoch(report.hostId);
}

describe("a ledger that was restored from a backup", () => {
  it("takes over what the agent serves that shows it, with that very report", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    const to = stage.rollout().to;
    const rejoined = { commandId: "c899", kind: "rejoin", targetId: to.id, status: "done", timings: {} };
    hear(stage, afterRestore(stage, "h2", { running: to.id, health: "good", command: rejoined }));
    expect(stage.state).toMatchObject({ epoch: 8, behind: { hostId: "h2", revisionSeen: 900 } });
    expect(stage.snapshot.hosts[1]?.instance.target?.id).toBe(to.id);
  });

  it("moves nobody of itself, and no rollout, before a person has looked", () => {
    const stage = scene();
    stage.admit({ version: "v2", onFailure: "pause" });
    stage.join("h5", "host");
    hear(stage, afterRestore(stage, "h2"));
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "paused", intent: "pause" });
    const before = stage.state.sequence;
    expect(decideAll(stage.state, stage.live, stage.nowMs).events).toEqual([]);
    expect(stage.state.sequence).toBe(before);
  });

  it("says the list anew when a person goes on: everybody who serves, by the word of its agent", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    const to = stage.rollout().to;
    stage.control("abort");
    stage.settle();
    const rejoined = { commandId: "c899", kind: "rejoin", targetId: to.id, status: "done", timings: {} };
    const draining = { commandId: "c898", kind: "drain", targetId: to.id, status: "running", timings: {} };
    hear(stage, afterRestore(stage, "e1"));
    hear(stage, afterRestore(stage, "h2", { running: to.id, health: "good", command: rejoined }));
    hear(stage, afterRestore(stage, "h3", { command: draining }));
    expect(decideAll(stage.state, stage.live, stage.nowMs).events).toEqual([]);
    stage.admit({ version: "v2" });
    const [restated] = decideAll(stage.state, stage.live, stage.nowMs).events;
    if (restated?.type !== "upstream-revised") throw new Error(`said ${restated?.type}`);
    const listed = restated.content.members.map(
      ({ hostId, targetId }) => `${hostId}=${targetId.split("@")[0]}`,
    );
    expect(listed).toEqual(["h1=v1", "h2=v2", "h4=v1"]);
    expect(Object.keys(restated.content.checks)).toHaveLength(2);
    stage.converge();
    expect(stage.state.upstreams.get(stage.snapshot.upstream.name)?.revision).toBeGreaterThan(900);
  });

  it("goes on after an abort by a person, too", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    hear(stage, afterRestore(stage, "h2"));
    expect(stage.state.behind).not.toBeNull();
    stage.control("abort");
    expect(stage.state.behind).toBeNull();
  });

  it("goes on where there is nothing to roll out: the list is said anew, and the fleet converges", () => {
    const stage = scene();
    stage.join("h5", "host");
    hear(stage, afterRestore(stage, "e1"));
    for (const id of ["h1", "h2", "h3", "h4"]) hear(stage, afterRestore(stage, id));
    expect(decideAll(stage.state, stage.live, stage.nowMs).events).toEqual([]);
    goOn(stage);
    stage.converge();
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1", "h4=v1", "h5=v1"]);
    expect(resumeFleet(stage.state, null)).toEqual([]);
  });

  it("goes on with what is paused as it is: each rollout waits for a word of its own", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    hear(stage, afterRestore(stage, "h2"));
    goOn(stage);
    stage.converge();
    expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "behind-fleet" } });
  });

  it("says the list anew to an edge whose nginx has refused a later one: it takes nothing older", () => {
    const stage = scene();
    const report = afterRestore(stage, "e1");
    const { serving } = stage.state.hosts.get(HostId.parse("e1"))?.upstreams.web ?? {};
    hear(stage, {
      ...report,
      upstreams: report.upstreams.map((each) => ({ ...each, serving: serving ?? null })),
    });
    goOn(stage);
    expect(decideAll(stage.state, stage.live, stage.nowMs).events).toMatchObject([
      { type: "upstream-revised" },
    ]);
  });

  it("lists a host that has moved meanwhile where edges route to it, and verifies it where it is now", () => {
    const stage = scene();
    const { members } = stage.snapshot.upstream.content;
    const lists = [{ upstream: stage.snapshot.upstream.name, revision: 900, members: [...members] }];
    hear(stage, { ...afterRestore(stage, "e1"), lists });
    for (const id of ["h1", "h2", "h3", "h4"]) hear(stage, afterRestore(stage, id));
    stage.move("h2", "10.9.9");
    goOn(stage);
    const addresses = () => stage.snapshot.upstream.content.members.map(({ address }) => address);
    stage.commit(decideAll(stage.state, stage.live, stage.nowMs).events, "orchestrator");
    expect(addresses()).toContain("10.0.0.2");
    const from = stage.log.length;
    stage.pass(20_000);
    stage.converge();
    expect(addresses()).toContain("10.9.9.2");
    expect(transcript(stage.log.slice(from))).toContain("h2 verify v1");
  });

  it("calls a removed host gone when it is out of the lists that only edges know, too", () => {
    const stage = scene();
    const { members, upstream } = stage.snapshot.upstream.content;
    const lists = [{ upstream, revision: 900, members: [...members] }];
    stage.hold("h4", "removed");
    stage.converge();
    expect([...goneHosts(stage.state)]).toEqual(["h4"]);
    hear(stage, { ...afterRestore(stage, "e1"), lists });
    for (const id of ["h1", "h2", "h3", "h4"]) hear(stage, afterRestore(stage, id));
    expect([...goneHosts(stage.state)]).toEqual([]);
    goOn(stage);
    stage.commit(decideAll(stage.state, stage.live, stage.nowMs).events, "orchestrator");
    expect(stage.listed).toContain("h4=v1");
    expect([...goneHosts(stage.state)]).toEqual([]);
    stage.converge();
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1"]);
    expect([...goneHosts(stage.state)]).toEqual(["h4"]);
  });

  it("takes nobody into traffic whom it does not know, or who runs something else than an edge's list says", () => {
    const stage = scene();
    const { members, upstream } = stage.snapshot.upstream.content;
    const [first, second] = members;
    if (!first || !second) throw new Error("nobody is listed");
    const stranger = { ...first, hostId: HostId.parse("x9") };
    const other = { ...second, targetId: "v9@0123456789ab.1" as typeof second.targetId };
    const say = (id: string, listed: typeof members) => {
      const lists = [{ upstream, revision: 900, members: listed }];
      hear(stage, { ...afterRestore(stage, id), lists });
    };
    say("h1", [stranger]);
    expect(stage.state.upstreams.get(upstream)?.observed).toBeNull();
    hear(stage, afterRestore(stage, "h2"));
    say("e1", [first, other, stranger]);
    goOn(stage);
    stage.commit(decideAll(stage.state, stage.live, stage.nowMs).events, "orchestrator");
    expect(stage.listed).toEqual(["h1=v1"]);
  });

  it("does not take the backup's word for what an edge serves that was not heard since", () => {
    const stage = scene({ edges: 2 });
    stage.admit({ version: "v2", strategy: { kind: "rolling" } });
    while (stage.snapshot.upstream.content.members.length === 4) {
      if (stage.decide().length === 0) stage.answer();
    }
    stage.answer();
    expect(stage.snapshot.edges.map(({ confirmed }) => confirmed)).not.toContain(0);
    stage.behaviours.set("e2", { silent: true });
    hear(stage, afterRestore(stage, "h2"));
    for (const id of ["e1", "h1", "h3", "h4"]) stage.answerEpoch(id);
    // What has changed of another upstream is not everything: that report was lost on its way.
    stage.restate("e2", { epochSeen: stage.state.epoch });
    expect(stage.snapshot.edges.map(({ isFromBackup }) => isFromBackup)).toEqual([false, true]);
    stage.pass(60_000);
    const from = stage.log.length;
    stage.control("resume");
    stage.converge();
    expect(transcript(stage.log.slice(from))).not.toContain("h1 drain");
    expect(stage.rollout().waiting).toContainEqual(
      expect.objectContaining({ code: "edge-silent", hostId: "e2" }),
    );
    stage.pass(120_000);
    stage.converge();
    expect(stage.rollout()).toMatchObject({ intent: "pause", cause: { code: "edge-silent" } });
    stage.exclude("e2");
    stage.control("resume");
    stage.converge();
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("counts no edge for serving what a ledger wants that is behind", () => {
    const stage = scene();
    hear(stage, afterRestore(stage, "h2"));
    stage.join("e2", "edge");
    stage.answer();
    const counted = () => stage.snapshot.edges.map((edge) => edge.counted);
    expect(counted()).toEqual([true, false]);
    hear(stage, afterRestore(stage, "e1"));
    stage.answerEpoch("e2");
    goOn(stage);
    stage.converge();
    expect(counted()).toEqual([true, true]);
  });

  it("leaves a host that has moved where it was, if nobody here knows what it serves", () => {
    const stage = scene();
    servesSince(stage, laterTarget());
    goOn(stage);
    stage.converge();
    const before = stage.state.sequence;
    stage.move("h2", "10.9.9");
    stage.converge();
    expect(stage.listed).toEqual(["h1=v9", "h2=v9", "h3=v9", "h4=v9"]);
    expect(stage.state.sequence).toBe(before + 1);
  });

  it("decides a command again that its agent has long been told otherwise", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    stage.decide();
    const command = stage.state.hosts.get(HostId.parse("h1"))?.instances["web/blue"]?.command;
    if (!command) throw new Error("h1 was told nothing");
    const { commandId } = command;
    const said = { code: "stale-revision" as const, message: "revision 9; 900 was accepted" };
    stage.commit([{ type: "command-refused", hostId: HostId.parse("h1"), commandId, ...said }], "agent");
    expect(stage.snapshot.hosts[0]?.instance.command?.status).toBe("void");
  });

  it("does not wait for the end of a command that its agent has left behind", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    stage.decide();
    stage.say("h1", { revision: 900 });
    expect(stage.snapshot.hosts[0]?.instance.command?.status).toBe("void");
  });

  it("tells nobody to stop anything before everybody whom it concerns has answered its start", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    while (!stage.snapshot.hosts.some(({ instance }) => instance.command?.kind === "drain")) {
      if (stage.decide().length === 0) stage.answer();
    }
    const started = { epoch: 9, controlPlaneId: "cp9", version: "0.1.0" };
    stage.commit([{ type: "control-plane-started", ...started } as never]);
    stage.forgetBeats();
    stage.answer();
    const told = () =>
      decideAll(stage.state, stage.live, stage.nowMs).events.flatMap((event) =>
        event.type === "command-issued" ? event.body.kind : [],
      );
    expect(told()).toEqual([]);
    stage.decide();
    expect(stage.rollout().waiting).toMatchObject([
      {
        code: "hosts-unknown",
        hostId: "h1",
        message: "waits for h1, e1 to answer the start of the control plane, before h1 is told its next step",
      },
    ]);
    for (const { hostId } of [...stage.state.hosts.values()]) stage.answerEpoch(hostId);
    expect(told()).toEqual(["update"]);
  });
});

/** The half of an in-place rollout that failed is on its way back, and the backup was made then. */
function givingBack(): Scene {
  const stage = scene();
  stage.behaviours.set("h1", {
    fails: { kind: "verify", failure: { code: "exited", message: "exit code 1" } },
  });
  stage.admit({ version: "v2", strategy: { kind: "in-place" }, onFailure: "pause" });
  for (let round = 0; round < 50 && stage.rollout().plan.kind === "forward"; round += 1) {
    if (stage.decide().length === 0) stage.answer();
  }
  expect(stage.rollout()).toMatchObject({ intent: "pause", plan: { kind: "return" } });
  stage.behaviours.clear();
  return stage;
}

/** Everybody says that it has joined with this target since. */
function servesSince(stage: Scene, running: string): void {
  const command = { commandId: "c899", kind: "rejoin", targetId: running, status: "done", timings: {} };
  hear(stage, afterRestore(stage, "e1"));
  for (const id of ["h1", "h2", "h3", "h4"]) {
    hear(stage, afterRestore(stage, id, { running, health: "good", revision: 899, command }));
  }
}

/** The target of release v3, which this ledger has and rolled out nowhere. */
function thirdTarget(stage: Scene): string {
  stage.release("v3");
  const release = stage.state.releases.get("web/v3");
  const service = stage.state.services.get(stage.service);
  if (!release || !service) throw new Error("v3 is not there");
  return makeTarget(releaseOf(release), service.specRevision, service.spec.target).id;
}

/** One that was registered after the backup. */
const laterTarget = () => "v9@0123456789ab.1";

/** How it ends, and who is listed then, where hosts serve something else by now and a person says a word. */
function endOf(
  stage: Scene,
  target: Parameters<typeof servesSince>[1],
  verb: Parameters<Scene["control"]>[0],
) {
  servesSince(stage, target);
  stage.decide();
  expect(stage.rollout().status).toBe("paused");
  stage.control(verb);
  stage.converge();
  return { ending: stage.rollout().status, listed: stage.listed };
}

describe("a batch that was given back when the backup was made, of hosts that serve something else by now", () => {
  it.each([
    ["resume", "succeeded", thirdTarget, ["h1=v3", "h2=v2", "h3=v2", "h4=v2"]],
    ["resume", "succeeded", laterTarget, ["h1=v9", "h2=v2", "h3=v2", "h4=v2"]],
    ["abort", "aborted", thirdTarget, ["h1=v3", "h2=v3", "h3=v3", "h4=v3"]],
    ["abort", "aborted", laterTarget, ["h1=v9", "h2=v9", "h3=v9", "h4=v9"]],
    ["rollback", "failed", thirdTarget, ["h1=v3", "h2=v3", "h3=v3", "h4=v3"]],
    ["rollback", "failed", laterTarget, ["h1=v9", "h2=v9", "h3=v9", "h4=v9"]],
  ] as const)("stays with that: %s ends as %s", (verb, ending, serving, listed) => {
    const stage = givingBack();
    expect(endOf(stage, serving(stage), verb)).toEqual({ ending, listed });
  });

  it("is no batch in hand any more: the pause that came before the backup comes to rest", () => {
    const stage = givingBack();
    servesSince(stage, thirdTarget(stage));
    stage.admit({ version: "v1", queue: true });
    stage.converge();
    expect(stage.rollout("r2")).toMatchObject({ status: "paused", waiting: [{ code: "paused" }] });
  });
});

/** Two of four have moved and are on their way back, one after the other; the backup was made then. */
function rollingBack(): Scene {
  const stage = scene();
  stage.admit({ version: "v2", bakeTime: "1h" });
  stage.settle();
  stage.control("promote");
  stage.settle();
  stage.control("rollback");
  const isGoing = () => stage.snapshot.hosts[1]?.instance.command?.kind === "drain";
  for (let round = 0; round < 50 && !isGoing(); round += 1) {
    if (stage.decide().length === 0) stage.answer();
  }
  expect(stage.rollout()).toMatchObject({
    plan: { kind: "rollback" },
  });
  expect(entryOf(stage.rollout().hosts, "h2")).toMatchObject({ course: { kind: "going" } });
  return stage;
}

describe("a rollback under way when the backup was made", () => {
  const sameTarget = (stage: Scene) => stage.rollout().to.id;
  it.each([
    ["rollback", "rolled-back", sameTarget, ["h1=v1", "h2=v1", "h3=v2", "h4=v2"]],
    ["rollback", "failed", thirdTarget, ["h1=v3", "h2=v3", "h3=v3", "h4=v3"]],
    ["rollback", "failed", laterTarget, ["h1=v9", "h2=v9", "h3=v9", "h4=v9"]],
    ["abort", "aborted", sameTarget, ["h1=v2", "h2=v2", "h3=v2", "h4=v2"]],
    ["abort", "aborted", thirdTarget, ["h1=v3", "h2=v3", "h3=v3", "h4=v3"]],
  ] as const)(
    "takes its turn anew with who serves its target: %s ends as %s",
    (verb, ending, serving, listed) => {
      const stage = rollingBack();
      expect(endOf(stage, serving(stage), verb)).toEqual({ ending, listed });
    },
  );
});

/** A batch of two: h1 is verified, and waits for h2, which says nothing. */
function waitingForItsBatch(): Scene {
  const stage = scene();
  stage.admit({ version: "v2", strategy: { kind: "rolling", batchSize: 2 } });
  for (let step = 0; step < 200; step += 1) {
    const busy = stage.snapshot.hosts[1]?.instance.command?.kind;
    if (busy === "drain") stage.behaviours.set("h2", { silent: true });
    if (stage.decide().length === 0) stage.answer();
  }
  return stage;
}

describe("what was verified is verified anew", () => {
  it.each([
    ["at another address", (stage: Scene) => stage.move("h1", "10.9.9")],
    ["after another start", (stage: Scene) => stage.say("h1", { health: "unknown" })],
  ])("%s", (_, happens) => {
    const stage = waitingForItsBatch();
    const before = stage.snapshot.hosts[0]?.instance;
    expect(before).toMatchObject({ command: { kind: "verify", status: "done" }, health: "good" });
    happens(stage);
    stage.decide();
    const verify = stage.snapshot.hosts[0]?.instance.command;
    expect(verify).toMatchObject({ kind: "verify", status: "issued" });
    expect(verify?.attempt).toBeGreaterThan(before?.command?.attempt ?? 0);
  });
});
