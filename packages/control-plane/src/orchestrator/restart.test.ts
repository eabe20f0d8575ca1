import { HostId } from "@siding/shared/ids";
import type { RestartBody } from "@siding/shared/rest";
import { describe, expect, it } from "vitest";
import { explain } from "../rollout/explain.ts";
import { broken } from "../scene/play.ts";
import { type Scene, scene } from "../scene/scene.ts";

function commandsSince(stage: Scene, from: number): readonly string[] {
  return stage.log
    .slice(from)
    .flatMap(({ body }) => (body.type === "command-issued" ? `${body.hostId} ${body.body.kind}` : []));
}

describe("a restart of one host", () => {
  it("takes it out, drains, restarts once, verifies and lists it again; nobody else is touched", () => {
    const stage = scene();
    const before = stage.log.length;
    expect(stage.restart({ hosts: [HostId.parse("h2")] }).ok).toBe(true);
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
    expect(commandsSince(stage, before)).toEqual(["h2 drain", "h2 restart", "h2 verify", "h2 rejoin"]);
    const lists = stage.log
      .slice(before)
      .flatMap(({ body }) =>
        body.type === "upstream-revised" ? [body.content.members.map(({ hostId }) => hostId).join(" ")] : [],
      );
    expect(new Set(lists)).toEqual(new Set(["h1 h3 h4", "h1 h2 h3 h4"]));
    expect(stage.rollout().batches).toHaveLength(1);
    stage.converge();
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("says what it is", () => {
    const stage = scene();
    stage.behaviours.set("h2", { silent: true });
    stage.restart({ hosts: [HostId.parse("h2")] });
    stage.settle();
    expect(explain(stage.rollout(), stage.nowMs)).toBe(
      "restart of web on h2 (v1), running. 0 of 1 hosts are restarted; batch 1 is h2. Now: h2 drains: requests in flight are counted. Next: it ends when these serve.",
    );
    stage.behaviours.clear();
    stage.settle();
    expect(explain(stage.rollout(), stage.nowMs)).toBe("restart of web on h2 (v1), succeeded.");
  });

  it("is a command with an id of its own, the same where it has to be given again", () => {
    const stage = scene();
    stage.restart({ hosts: [HostId.parse("h2")] });
    stage.settle();
    const shots = stage.log.flatMap(({ body }) =>
      body.type === "command-issued" && body.body.kind === "restart" ? body.body.shot : [],
    );
    expect(shots).toEqual([stage.rollout().id]);
  });

  it("aborted before the restart it rejoins as it is; a rollback is no more than that", () => {
    for (const verb of ["abort", "rollback"] as const) {
      const stage = scene();
      stage.behaviours.set("h2", { silent: true });
      const before = stage.log.length;
      stage.restart({ hosts: [HostId.parse("h2")] });
      stage.settle();
      stage.control(verb);
      stage.behaviours.clear();
      stage.settle();
      expect(stage.rollout().status).toBe("aborted");
      expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1", "h4=v1"]);
      expect(commandsSince(stage, before)).not.toContain("h2 restart");
    }
  });

  it("that does not come back is left out and named; the next one mends it", () => {
    const stage = scene();
    stage.behaviours.set("h2", { fails: { kind: "verify", failure: broken } });
    stage.restart({ hosts: [HostId.parse("h2")] });
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "failed", cause: { code: "too-many-failures" } });
    expect(explain(stage.rollout(), stage.nowMs)).toContain("host h2, verifying failed: GET /healthz");
    expect(stage.listed).toEqual(["h1=v1", "h3=v1", "h4=v1"]);
    stage.behaviours.clear();
    expect(stage.restart({ hosts: [HostId.parse("h2")] }).ok).toBe(true);
    stage.settle();
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1", "h4=v1"]);
  });
});

describe("a restart of all", () => {
  it("goes batch by batch, and leaves what the service is to serve as it was", () => {
    const stage = scene({ spec: { strategy: { kind: "rolling", batchSize: 2 } } });
    const before = stage.log.length;
    const { target } = stage.state.services.get(stage.service) ?? {};
    stage.restart({});
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
    expect(stage.rollout().batches.map(({ hosts }) => hosts.join(" "))).toEqual(["h1 h2", "h3 h4"]);
    expect(commandsSince(stage, before).filter((each) => each.endsWith("restart"))).toHaveLength(4);
    expect(stage.state.services.get(stage.service)?.target).toEqual(target);
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1", "h4=v1"]);
  });

  it("stops at the first that does not come back", () => {
    const stage = scene();
    stage.behaviours.set("h2", { fails: { kind: "verify", failure: broken } });
    stage.restart({});
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "failed", failed: ["h2"] });
    expect(stage.rollout().batches.map(({ hosts }) => hosts.join(" "))).toEqual(["h1", "h2"]);
  });

  it("is refused while a rollout runs, and of hosts that serve two targets", () => {
    const busy = scene();
    busy.admit({ version: "v2", bakeTime: "1h" });
    busy.settle();
    expect(busy.restart({})).toMatchObject({ ok: false, error: { code: "rollout-in-progress" } });
    const mixed = scene();
    mixed.admit({ version: "v2", bakeTime: "1h" });
    mixed.settle();
    mixed.control("abort");
    mixed.settle();
    expect(mixed.restart({})).toMatchObject({ ok: false, error: { code: "invalid-request" } });
    expect(mixed.restart({ hosts: [HostId.parse("h1")] }).ok).toBe(true);
  });

  it("that is queued looks anew when its turn comes", () => {
    const stage = scene();
    expect([stage.restart({}), stage.restart({ queue: true })].map(({ ok }) => ok)).toEqual([true, true]);
    stage.settle();
    expect([...stage.state.rollouts.values()].slice(-2)).toMatchObject([
      { purpose: "restart", status: "succeeded" },
      { purpose: "restart", status: "succeeded" },
    ]);
  });
});

describe("a restart behind a rollout", () => {
  const behindRollout = (wanted: RestartBody = {}) => {
    const stage = scene();
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    const admitted = stage.restart({ ...wanted, queue: true });
    return { stage, admitted };
  };

  it("is of what the hosts serve when its turn comes, whatever they serve when it is asked for", () => {
    const { stage, admitted } = behindRollout();
    expect(admitted.ok).toBe(true);
    for (let batch = 0; batch < 4; batch += 1) {
      stage.pass(3_600_000);
      stage.settle();
    }
    const restart = stage.rollout();
    expect(restart).toMatchObject({ status: "succeeded", to: { release: { version: "v2" } } });
    expect(restart.hosts.map(({ phase }) => phase)).toEqual(["serving", "serving", "serving", "serving"]);
    expect(explain(restart, stage.nowMs)).toContain("(v2), succeeded");
  });

  it("ends where they serve two things by then, and says so", () => {
    const { stage } = behindRollout();
    const [rolling] = [...stage.state.rollouts.values()].slice(-2);
    stage.commit([
      { type: "intent-set", rolloutId: rolling?.id ?? stage.rollout().id, intent: "abort", cause: null },
    ]);
    stage.settle();
    expect(stage.rollout()).toMatchObject({
      status: "failed",
      cause: { code: "invalid-request", message: expect.stringContaining("when its turn came") as unknown },
    });
  });
});

describe("a restart is refused", () => {
  const refused = (stage: Scene, body: RestartBody) => {
    const admitted = stage.restart(body);
    if (admitted.ok) throw new Error("it was taken");
    return admitted.error;
  };
  const h2 = { hosts: [HostId.parse("h2")] };

  it("with the arithmetic, where it would breach the minimum", () => {
    const stage = scene({ hosts: 2, spec: { capacity: { minServing: 2 } } });
    expect(refused(stage, h2)).toMatchObject({
      code: "below-minimum",
      message: expect.stringContaining("2 serving - 1 = 1, and minServing 2 of 2 asks for 2") as unknown,
    });
  });

  it("where the host is unknown, held, or has never served", () => {
    expect(refused(scene(), { hosts: [HostId.parse("h9")] })).toMatchObject({ code: "unknown-host" });
    const held = scene();
    held.hold("h2");
    held.converge();
    expect(refused(held, h2).message).toBe(
      "h2 is drained by hand and out of traffic; POST /v1/hosts/h2/rejoin brings it back",
    );
    expect(refused(scene({ deployed: false }), h2).message).toContain("has never served web");
    expect(refused(scene({ deployed: false }), {}).message).toContain("nothing to restart");
  });

  it("where the host is silent", () => {
    const stage = scene();
    stage.behaviours.set("h2", { silent: true });
    stage.pass(60_000);
    expect(refused(stage, h2)).toMatchObject({ code: "no-hosts" });
  });

  it("once finished, to be rolled back", () => {
    const stage = scene();
    stage.restart(h2);
    stage.settle();
    expect(stage.rollBack(stage.rollout())).toMatchObject({
      ok: false,
      error: { code: "nothing-to-do" },
    });
  });
});
