import { describe, expect, it } from "vitest";
import { scene } from "../scene/scene.ts";

describe("a rollout is refused before it starts", () => {
  it("where the version is unknown, and the field is named", () => {
    const refused = scene().admit({ version: "v9" });
    expect(refused).toMatchObject({
      ok: false,
      error: { code: "unknown-version", errors: [{ path: "version" }] },
    });
  });

  it("while another one runs", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    const refused = stage.admit({ version: "v1" });
    expect(refused).toMatchObject({ ok: false, error: { code: "rollout-in-progress" } });
    if (!refused.ok) expect(refused.error.message).toContain("r2 (v2, pending)");
  });

  it.each([
    [
      4,
      { minServing: "100%" },
      { kind: "rolling" as const },
      "4 serving - 1 = 3, and minServing 100% of 4 asks for 4",
    ],
    [
      4,
      { minServing: "75%" },
      { kind: "in-place" as const },
      "4 serving - 2 = 2, and minServing 75% of 4 asks for 3",
    ],
    [
      5,
      { minServing: "50%" },
      { kind: "in-place" as const },
      "5 serving - 3 = 2, and minServing 50% of 5 asks for 3",
    ],
    [
      1,
      { minServing: 0 },
      { kind: "rolling" as const },
      "1 serving - 1 = 0, and minServing 0 of 1 asks for 1",
    ],
  ])("where not even one fits: %i hosts, %j, %j", (hosts, capacity, strategy, arithmetic) => {
    const stage = scene({ hosts, spec: { capacity } });
    const refused = stage.admit({ version: "v2", strategy });
    expect(refused).toMatchObject({ ok: false, error: { code: "below-minimum" } });
    if (!refused.ok) expect(refused.error.message).toContain(arithmetic);
  });

  it("where an agent is older than a part of the spec, which it would leave out: host, version and remedy are named", () => {
    const stage = scene({ spec: { run: { command: ["node"], user: "www-data", envFile: "/etc/web.env" } } });
    stage.restate("h3", { agentVersion: "0.0.9", features: ["run.user"] });
    const refused = stage.admit({ version: "v2" });
    expect(refused).toMatchObject({
      ok: false,
      error: {
        code: "agent-too-old",
        message:
          "the agent of h3 (version 0.0.9) does not know run.envFile of this spec and would leave it out: upgrade the agent first",
      },
    });
    stage.restate("h3", {
      agentVersion: "0.1.0",
      features: ["run.user", "run.envFile", "of a later release"],
    });
    expect(stage.admit({ version: "v2" }).ok).toBe(true);
  });

  it("but not where the spec has nothing that an older agent does not know", () => {
    const stage = scene();
    for (const id of ["h1", "h2", "h3", "h4", "e1"])
      stage.restate(id, { agentVersion: "0.0.9", features: [] });
    expect(stage.admit({ version: "v2" }).ok).toBe(true);
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("where everything is there already", () => {
    expect(scene().admit({ version: "v1" })).toMatchObject({ ok: false, error: { code: "nothing-to-do" } });
  });

  it("where a person has excluded every edge, with the way to count one again", () => {
    const stage = scene({ edges: 2 });
    for (const id of ["e1", "e2"]) stage.exclude(id);
    const refused = stage.admit({ version: "v2" });
    expect(refused).toMatchObject({ ok: false, error: { code: "no-edges" } });
    if (!refused.ok) {
      expect(refused.error.message).toBe(
        "every edge that matches role: edge is excluded: e1, e2; count one again with POST /v1/edges/e1/include",
      );
    }
  });

  it("where no edge or no host matches", () => {
    const edgeless = scene({ edges: 0, deployed: false });
    expect(edgeless.admit({ version: "v1" })).toMatchObject({ ok: false, error: { code: "no-edges" } });
    const hostless = scene({ hosts: 0, deployed: false });
    expect(hostless.admit({ version: "v1" })).toMatchObject({ ok: false, error: { code: "no-hosts" } });
  });

  it("without a version where the hosts serve several, or none", () => {
    const refused = scene({ deployed: false }).admit({});
    expect(refused).toMatchObject({ ok: false, error: { code: "unknown-version" } });
    const stage = scene();
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    stage.control("abort");
    stage.settle();
    const mixed = stage.admit({});
    expect(mixed).toMatchObject({ ok: false, error: { code: "unknown-version" } });
    if (!mixed.ok) expect(mixed.error.message).toContain("v2 and v1");
  });
});

describe("a queued rollout", () => {
  it("waits for the one that runs, and starts with a plan for the fleet as it is then", () => {
    const stage = scene();
    stage.release("v3");
    stage.admit({ version: "v2" });
    stage.decide();
    expect(stage.admit({ version: "v3", queue: true }).ok).toBe(true);
    expect(stage.rollout("r3")).toMatchObject({ status: "queued", waiting: [{ code: "queued" }] });
    stage.settle();
    expect(stage.rollout("r2").status).toBe("succeeded");
    expect(stage.rollout("r3").status).toBe("succeeded");
    expect(stage.rollout("r3").hosts[0]).toMatchObject({
      hostId: "h1",
      from: { release: { version: "v2" } },
    });
    expect(stage.state.services.get(stage.service)).toMatchObject({
      activeRollout: null,
      queuedRollout: null,
    });
  });

  it("gives its place to a later one, and can be aborted", () => {
    const stage = scene();
    stage.release("v3");
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    stage.admit({ version: "v3", queue: true });
    stage.admit({ version: "v1", queue: true });
    expect(stage.rollout("r3")).toMatchObject({ status: "aborted", cause: { code: "superseded" } });
    expect(stage.control("pause")).toMatchObject({ ok: false, error: { code: "no-gate" } });
    expect(stage.control("abort").ok).toBe(true);
    expect(stage.rollout("r4").status).toBe("aborted");
    expect(stage.state.services.get(stage.service)?.queuedRollout).toBeNull();
  });

  it("ends where it would be refused when its turn comes", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    stage.decide();
    stage.admit({ version: "v2", queue: true });
    stage.settle();
    expect(stage.rollout("r3")).toMatchObject({ status: "failed", cause: { code: "nothing-to-do" } });
  });

  it("starts at once where nothing runs", () => {
    const stage = scene();
    stage.admit({ version: "v2", queue: true });
    expect(stage.rollout().status).toBe("pending");
  });
});

describe("a rollout of the spec only", () => {
  it("takes the release that serves, with the new spec", () => {
    const stage = scene();
    expect(stage.admit({})).toMatchObject({ ok: false, error: { code: "nothing-to-do" } });
    stage.declare({ run: { command: ["node", "server.mjs", "--fast"] } });
    expect(stage.admit({}).ok).toBe(true);
    stage.settle();
    const [host] = stage.snapshot.hosts;
    expect(host?.instance.target).toMatchObject({ release: { version: "v1" }, specRevision: 2 });
    expect(stage.rollBack(stage.rollout()).ok).toBe(true);
    stage.settle();
    expect(stage.snapshot.hosts[0]?.instance.target?.specRevision).toBe(1);
  });
});

describe("rolling a finished rollout back", () => {
  it("is a rollout to where its hosts came from, of those hosts only", () => {
    const stage = scene();
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    stage.control("abort");
    stage.settle();
    stage.admit({ version: "v2" });
    stage.settle();
    const second = stage.rollout();
    expect(second.hosts.map(({ hostId }) => hostId)).toEqual(["h2", "h3", "h4"]);
    const back = stage.rollBack(second);
    expect(back.ok).toBe(true);
    expect(stage.rollout().to.release.version).toBe("v1");
    expect(stage.rollout().hosts.map(({ hostId }) => hostId)).toEqual(["h2", "h3", "h4"]);
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
    expect(stage.rollBack(second)).toMatchObject({ ok: false, error: { code: "nothing-to-do" } });
  });

  it("has nothing to go back to after a first deployment", () => {
    const stage = scene();
    expect(stage.rollBack(stage.rollout())).toMatchObject({ ok: false, error: { code: "nothing-to-do" } });
  });
});

describe("declaring again", () => {
  it("makes a new spec revision only where the rolled-out part changed", () => {
    const stage = scene();
    const revision = () => stage.state.services.get(stage.service)?.specRevision;
    expect(revision()).toBe(1);
    stage.declare({ capacity: { minServing: "75%" } });
    expect(revision()).toBe(1);
    stage.declare({ run: { command: ["node", "server.mjs", "--fast"] } });
    expect(revision()).toBe(2);
    expect(stage.admit({ version: "v1" }).ok).toBe(true);
  });

  it("says nothing where nothing changed, and balances at once", () => {
    const stage = scene();
    const before = stage.state.sequence;
    stage.declare();
    expect(stage.state.sequence).toBe(before);
    stage.declare({ edge: { match: { role: "edge" }, balance: "least-conn" } });
    expect(stage.snapshot.upstream.content.balance).toBe("least-conn");
  });

  it("refuses another protocol, which the user's nginx would have to know of", () => {
    const stage = scene();
    expect(() => stage.declare({ edge: { match: { role: "edge" }, protocol: "tcp" } })).toThrow(
      "service web is behind upstream web (http); its protocol can't be changed",
    );
  });

  it("refuses another service's port on the same hosts, and its upstream", () => {
    const stage = scene();
    const other = { name: "api", port: 8081 };
    expect(() => stage.declare({ ...other, ports: undefined })).toThrow(
      "port 8081 (blue) is also port green of service web on h1, h2, h3, h4",
    );
    expect(() =>
      stage.declare({ ...other, port: undefined, edge: { match: { role: "edge" }, upstream: "web" } }),
    ).toThrow("upstream web belongs to service web");
  });
});

describe("the word of a person", () => {
  it("said twice is said once, and comes too late after the end", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    expect(stage.control("pause")).toMatchObject({ ok: true });
    const before = stage.state.sequence;
    expect(stage.control("pause")).toEqual({ ok: true, value: [] });
    expect(stage.state.sequence).toBe(before);
    stage.control("abort");
    expect(stage.control("pause")).toMatchObject({ ok: false });
    stage.settle();
    expect(stage.control("resume")).toMatchObject({ ok: false, error: { code: "rollout-finished" } });
  });

  it("promote finds a gate only where one waits", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    expect(stage.control("promote")).toMatchObject({ ok: false, error: { code: "no-gate" } });
  });
});
