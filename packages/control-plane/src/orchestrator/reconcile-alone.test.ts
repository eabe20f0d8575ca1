import { HostId, TargetId } from "@siding/shared/ids";
import { describe, expect, it } from "vitest";
import { broken } from "../scene/play.ts";
import { type Scene, scene } from "../scene/scene.ts";
import { decideAll } from "./decide.ts";

/** Found by the simulator: what the fleet does of itself must need nobody, and keep nobody waiting. */

function converging(stage: Scene) {
  return [...stage.state.rollouts.values()].filter((rollout) => rollout.origin === "reconciler");
}

const tight = { capacity: { minServing: 4 } };

describe("what the fleet does of itself", () => {
  it("has a name of its own for each of two services", () => {
    const stage = scene({ hosts: 2 });
    stage.declare({ name: "api", ports: { blue: 9080, green: 9081 } });
    const { services } = stage.state;
    const api = [...services.values()].find(({ spec }) => spec.name === "api");
    const web = services.get(stage.service);
    if (!api || !web) throw new Error("the scene lacks a service");
    services.set(api.spec.name, { ...api, target: web.target });
    stage.join("h3", "host");
    stage.commit(decideAll(stage.state, stage.live, stage.nowMs).events);
    const names = converging(stage).map(({ id, service }) => `${service} ${id}`);
    expect(new Set(converging(stage).map(({ id }) => id)).size, names.join()).toBe(2);
  });

  it("ends where it can't go on, and is tried again later: nobody would come to resume it", () => {
    const stage = scene({ spec: tight });
    stage.hold("h1");
    stage.converge();
    expect(converging(stage)).toMatchObject([{ status: "waiting" }]);
    stage.pass(610_000);
    stage.converge();
    const [first, ...others] = converging(stage);
    expect(first).toMatchObject({ status: "aborted", cause: { code: "no-progress" } });
    expect(others.length).toBeGreaterThan(0);
    expect(others.every(({ status }) => status !== "paused")).toBe(true);
  });

  it("takes a host out that a first deployment listed and never settled", () => {
    const stage = scene({ hosts: 3 });
    const { hosts, services } = stage.state;
    const host = hosts.get(HostId.parse("h1"));
    const instance = host?.instances["web/blue"];
    const service = services.get(stage.service);
    if (!host || !instance || !service) throw new Error("h1 does not serve");
    hosts.set(host.hostId, { ...host, instances: { "web/blue": { ...instance, target: null } } });
    services.set(stage.service, { ...service, target: null });
    stage.hold("h1");
    stage.converge();
    expect(stage.listed).toEqual(["h2=v1", "h3=v1"]);
  });

  it("takes up those first that were tried least", () => {
    const stage = scene({ spec: tight });
    stage.hold("h1");
    stage.converge();
    stage.join("h5", "host");
    stage.pass(610_000);
    stage.converge();
    expect(stage.listed).toContain("h5=v1");
  });

  it("ends for a host that a person holds by now, which stays out", () => {
    const stage = scene({ hosts: 3 });
    stage.behaviours.set("h4", { silent: true });
    stage.join("h4", "host");
    stage.converge();
    expect(stage.hold("h4").ok).toBe(true);
    stage.behaviours.clear();
    stage.converge();
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1"]);
    expect(converging(stage)).toMatchObject([{ status: "aborted", cause: { code: "gives-way" } }]);
  });

  it("ends for a host that waits to leave and may serve again", () => {
    const stage = scene({ spec: tight });
    stage.hold("h1");
    stage.converge();
    stage.letGo("h1");
    stage.converge();
    expect(converging(stage)).toMatchObject([{ status: "aborted", cause: { code: "gives-way" } }]);
    expect(stage.listed).toContain("h1=v1");
  });

  it("brings a host to the service's target that was held while the others went there, and never left", () => {
    const stage = scene({ spec: tight });
    stage.hold("h1");
    stage.admit({ version: "v2", strategy: { kind: "rolling", allowDowntime: true } });
    stage.settle();
    expect(stage.listed).toContain("h1=v1");
    stage.declare({ capacity: { minServing: 1 } });
    stage.letGo("h1");
    stage.converge();
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v2", "h4=v2"]);
  });

  describe("for a host that was out of reach when the others went elsewhere", () => {
    const leftBehind = () => {
      const stage = scene();
      stage.behaviours.set("h1", { silent: true });
      stage.pass(60_000);
      stage.admit({ version: "v2" });
      stage.settle();
      expect(stage.rollout()).toMatchObject({ status: "succeeded", plan: { absent: ["h1"] } });
      return stage;
    };
    const all = ["h1=v2", "h2=v2", "h3=v2", "h4=v2"];

    it("goes on after a restart of another that interrupted it", () => {
      const stage = leftBehind();
      stage.behaviours.set("h1", { hangs: { kind: "verify", hook: "afterUpdate" } });
      stage.pass(10_000);
      stage.converge();
      expect(converging(stage)).toMatchObject([{ status: "running" }]);
      expect(stage.restart({ hosts: [HostId.parse("h3")] }).ok).toBe(true);
      stage.behaviours.clear();
      stage.converge();
      stage.pass(30_000);
      stage.converge();
      expect(stage.listed).toEqual(all);
    });

    it("is tried again where it has failed", () => {
      const stage = leftBehind();
      stage.behaviours.set("h1", { fails: { kind: "drain", failure: broken } });
      stage.pass(10_000);
      stage.converge();
      expect(converging(stage)).toMatchObject([{ status: "failed" }]);
      expect(stage.listed).toContain("h1=v1");
      stage.behaviours.clear();
      stage.pass(30_000);
      stage.converge();
      expect(stage.listed).toEqual(all);
    });
  });

  it("mends a host that runs something else than what it is listed with", () => {
    const stage = scene();
    const running = stage.snapshot.hosts[1]?.instance.running?.replace("v1", "v0");
    stage.say("h2", { running: TargetId.parse(running) });
    stage.converge();
    expect(converging(stage)).toEqual([]);
    stage.pass(20_000);
    stage.converge();
    expect(converging(stage)).toMatchObject([
      { status: "succeeded", comment: expect.stringContaining("runs v0") as unknown },
    ]);
    expect(stage.snapshot.hosts[1]?.instance.running).toMatch(/^v1/);
  });
});

describe("a host that a person has taken out", () => {
  it("may be switched off: its silence keeps no rollout waiting, and makes nobody blind", () => {
    const stage = scene({ hosts: 8 });
    for (const id of ["h1", "h2", "h3"]) stage.hold(id, "removed");
    stage.converge();
    for (const id of ["h1", "h2", "h3"]) stage.behaviours.set(id, { silent: true });
    stage.pass(120_000);
    expect(stage.snapshot.blind).toBeNull();
    expect(stage.admit({ version: "v2" }).ok).toBe(true);
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "succeeded" });
  });

  it("may be taken out while a rollout waits in the queue, which is planned anew", () => {
    const stage = scene();
    stage.admit({ version: "v2", bakeTime: "10s" });
    stage.settle();
    stage.join("h5", "host");
    expect(stage.admit({ version: "v1", queue: true }).ok).toBe(true);
    expect(stage.rollout().plan.hosts.map(({ hostId }) => hostId)).toContain("h5");
    expect(stage.hold("h5").ok).toBe(true);
    for (let batch = 0; batch < 4; batch += 1) {
      stage.pass(20_000);
      stage.settle();
    }
    expect(stage.rollout("r3")).toMatchObject({ status: "succeeded" });
    expect(stage.rollout("r3").plan.hosts.map(({ hostId }) => hostId)).not.toContain("h5");
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1", "h4=v1"]);
  });
});
