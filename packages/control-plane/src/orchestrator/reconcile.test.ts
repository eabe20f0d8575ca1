import { RolloutId, ServiceName, Version } from "@siding/shared/ids";
import { RolloutBody } from "@siding/shared/rest";
import { describe, expect, it } from "vitest";
import { broken } from "../scene/play.ts";
import { type Scene, scene } from "../scene/scene.ts";
import { admitRollout } from "./admit.ts";
import { decideAll } from "./decide.ts";
import { registerRelease } from "./declare.ts";

/** The rollouts that the fleet began of itself. */
function converging(stage: Scene) {
  return [...stage.state.rollouts.values()].filter((rollout) => rollout.origin === "reconciler");
}

describe("between rollouts", () => {
  it("a fleet that is as it should be is left alone", () => {
    const stage = scene();
    stage.converge();
    expect(converging(stage)).toEqual([]);
  });

  it("a host that was away is brought to what the others serve", () => {
    const stage = scene();
    stage.behaviours.set("h2", { silent: true });
    stage.pass(60_000);
    stage.admit({ version: "v2" });
    stage.settle();
    expect(stage.listed).toEqual(["h1=v2", "h3=v2", "h4=v2"]);
    stage.converge();
    expect(converging(stage)).toEqual([]);
    stage.behaviours.clear();
    stage.pass(10_000);
    stage.converge();
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v2", "h4=v2"]);
    expect(converging(stage)).toMatchObject([{ status: "succeeded", comment: "h2 is out of traffic" }]);
  });

  it("a new host joins", () => {
    const stage = scene({ hosts: 2 });
    stage.join("h3", "host");
    stage.converge();
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1"]);
  });

  it("a new host whose agent is older than a part of the spec is told nothing, and says why", () => {
    const stage = scene({ hosts: 2, spec: { run: { command: ["node"], user: "www-data" } } });
    stage.join("h3", "host");
    stage.restate("h3", { agentVersion: "0.0.9", features: [] });
    const before = stage.log.length;
    stage.converge();
    expect(stage.listed).toEqual(["h1=v1", "h2=v1"]);
    expect(stage.log.slice(before).filter(({ body }) => body.type === "command-issued")).toEqual([]);
    expect(stage.log.map(({ body }) => body)).toContainEqual(
      expect.objectContaining({
        type: "host-failed",
        phase: "staging",
        failure: {
          code: "agent-too-old",
          message: expect.stringMatching(
            /staging failed: the agent of h3 \(version 0.0.9\).*run.user.*upgrade/,
          ) as unknown,
        },
      }),
    );
  });

  it("a host whose address changed is delisted, verified there and listed again, without a restart", () => {
    const stage = scene();
    const before = stage.log.length;
    stage.move("h2", "10.9.9");
    stage.converge();
    expect(stage.log).toHaveLength(before + 1);
    stage.pass(20_000);
    stage.converge();
    expect(stage.snapshot.upstream.content.members.map((member) => member.address)).toContain("10.9.9.2");
    const kinds = stage.log
      .slice(before)
      .flatMap(({ body }) => (body.type === "command-issued" ? body.body.kind : []));
    expect(kinds).not.toContain("update");
    expect(kinds).toContain("verify");
  });

  it("nothing is converged after an abort: two targets are a person's to settle", () => {
    const stage = scene();
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    stage.control("abort");
    stage.converge();
    expect(stage.listed).toEqual(["h1=v2", "h2=v1", "h3=v1", "h4=v1"]);
    expect(converging(stage)).toEqual([]);
  });

  it("nor after a rollback of what has ended: it touches only whom that moved", () => {
    const stage = scene();
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    stage.control("abort");
    stage.converge();
    stage.admit({ version: "v2" });
    stage.settle();
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v2", "h4=v2"]);
    stage.rollBack(stage.rollout());
    stage.settle();
    stage.converge();
    expect(stage.listed).toEqual(["h1=v2", "h2=v1", "h3=v1", "h4=v1"]);
    expect(converging(stage)).toEqual([]);
  });

  it("what fails is tried again, ever more slowly", () => {
    const stage = scene({ hosts: 2 });
    stage.behaviours.set("h3", { fails: { kind: "verify", failure: broken } });
    stage.join("h3", "host");
    stage.converge();
    expect(converging(stage)).toMatchObject([{ status: "failed" }]);
    stage.pass(20_000);
    stage.converge();
    expect(converging(stage)).toHaveLength(1);
    stage.pass(20_000);
    stage.converge();
    expect(converging(stage)).toHaveLength(2);
    stage.pass(40_000);
    stage.converge();
    expect(converging(stage)).toHaveLength(2);
    stage.behaviours.clear();
    stage.pass(30_000);
    stage.converge();
    expect(stage.listed).toContain("h3=v1");
  });

  it("gives way to a rollout of a person", () => {
    const stage = scene({ hosts: 3 });
    stage.behaviours.set("h4", { silent: true });
    stage.join("h4", "host");
    stage.converge();
    expect(stage.state.services.get(stage.service)?.activeRollout).toMatch(/^r-converge/);
    const admitted = stage.admit({ version: "v2" });
    expect(admitted.ok).toBe(true);
    stage.behaviours.clear();
    stage.converge();
    expect(stage.rollout("r2").status).toBe("succeeded");
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v2", "h4=v2"]);
  });
});

describe("a hand drain", () => {
  it("is a hold that rollouts never undo, until the host is given back", () => {
    const stage = scene();
    expect(stage.hold("h2").ok).toBe(true);
    stage.converge();
    expect(stage.listed).toEqual(["h1=v1", "h3=v1", "h4=v1"]);
    stage.admit({ version: "v2" });
    stage.converge();
    expect(stage.rollout("r2").status).toBe("succeeded");
    expect(stage.listed).toEqual(["h1=v2", "h3=v2", "h4=v2"]);
    stage.letGo("h2");
    stage.converge();
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v2", "h4=v2"]);
  });

  it("lets the host be switched off: its silence holds nobody up, and blinds nobody", () => {
    const stage = scene({ hosts: 8 });
    const off = ["h2", "h4", "h5"];
    for (const id of off) {
      stage.hold(id, id === "h4" ? "removed" : "drained");
      stage.converge();
      stage.behaviours.set(id, { silent: true });
    }
    stage.pass(60_000);
    stage.admit({ version: "v2" });
    stage.converge();
    expect(stage.rollout("r2").status).toBe("succeeded");
    expect(stage.listed).toEqual(["h1=v2", "h3=v2", "h6=v2", "h7=v2", "h8=v2"]);
  });

  it("keeps out who was on the way back in, also where that had begun to give way to a rollout", () => {
    const stage = scene();
    stage.hold("h4");
    stage.converge();
    stage.letGo("h4");
    const told = () => stage.snapshot.hosts[3]?.instance.command?.kind;
    while (told() !== "verify") {
      const { events } = decideAll(stage.state, stage.live, stage.nowMs);
      stage.commit(events, "orchestrator");
      if (events.length === 0) stage.answer();
    }
    stage.behaviours.set("h4", { silent: true });
    stage.admit({ version: "v2" });
    stage.converge();
    expect(stage.hold("h4", "removed").ok).toBe(true);
    stage.behaviours.clear();
    stage.converge();
    expect(stage.rollout().status).toBe("succeeded");
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v2"]);
    expect(stage.snapshot.hosts[3]?.instance.drained).toBe(true);
  });

  it("takes the host out of every service, each by a rollout of its own", () => {
    const stage = scene();
    const api = ServiceName.parse("api");
    stage.declare({ name: "api", ports: { blue: 9000, green: 9001 } });
    const { digest } = stage.state.releases.get("web/v1") ?? {};
    const version = Version.parse("v1");
    const registered = digest && registerRelease(stage.state, api, { version, digest });
    if (!registered?.ok) throw new Error("v1 of api was not registered");
    stage.commit(registered.value.events, "alice");
    const admitted = admitRollout(stage.state, stage.live, api, RolloutBody.parse({ version: "v1" }), {
      ...{ id: RolloutId.parse("r-api"), by: "alice", at: "", nowMs: stage.nowMs, idempotencyKey: null },
    });
    if (!admitted.ok) throw new Error(admitted.error.message);
    stage.commit(admitted.value, "alice");
    stage.converge();
    stage.hold("h2");
    stage.converge();
    expect(converging(stage)).toMatchObject([
      { service: "web", purpose: "take-out", status: "succeeded" },
      { service: "api", purpose: "take-out", status: "succeeded" },
    ]);
    expect([...stage.state.services.values()].map(({ activeRollout }) => activeRollout)).toEqual([
      null,
      null,
    ]);
  });

  it("waits for capacity, and says so", () => {
    const stage = scene({ hosts: 2, spec: { capacity: { minServing: 2 } } });
    stage.hold("h1");
    stage.converge();
    expect(stage.listed).toHaveLength(2);
    expect(converging(stage)).toMatchObject([{ status: "waiting", waiting: [{ code: "capacity" }] }]);
  });

  it("is refused while a rollout has the host in its plan", () => {
    const stage = scene();
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    expect(stage.hold("h4")).toMatchObject({ ok: false, error: { code: "rollout-in-progress" } });
  });

  it("of a removed host drains first, and no longer counts in capacity", () => {
    const stage = scene({ hosts: 3, spec: { capacity: { minServing: "100%" } } });
    stage.hold("h3", "removed");
    stage.converge();
    expect(stage.listed).toEqual(["h1=v1", "h2=v1"]);
    expect(stage.hold("h9")).toMatchObject({ ok: false, error: { code: "unknown-host" } });
  });
});
