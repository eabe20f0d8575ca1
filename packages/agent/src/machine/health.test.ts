import { describe, expect, it } from "vitest";
import type { ProbeAnswer } from "./event.ts";
import { contentOf, revisionOf, targetOf, World } from "./world.fixture.ts";

const times = { intervalMs: 500, timeoutMs: 2_000, rise: 2, graceMs: 30_000 };
const byTcp = targetOf("v1", { health: { tcp: true, ...times } });
const byCommand = targetOf("v1", { health: { command: ["pg_isready", "-q"], ...times } });

function awake(): World {
  const world = new World();
  world.run(10);
  return world;
}

/** Lets every run of the health command end so. */
function ending(world: World, answer: (run: number) => ProbeAnswer): void {
  let runs = 0;
  world.answers["run-check"] = ({ op, service, slot }) => {
    runs += 1;
    return { kind: "probed", op, owner: { kind: "instance", service, slot }, answer: answer(runs) };
  };
}

const exit = (code: number, output = ""): ProbeAnswer => ({ kind: "exit", code, signal: null, output });

describe("health over TCP", () => {
  it("asks for a connection, and is good with one", () => {
    const world = awake();
    world.answers.probe = ({ op, owner }) => ({ kind: "probed", op, owner, answer: { kind: "connected" } });
    world.deploy(byTcp, 1);
    expect(world.said()).toMatchObject({ health: "good", command: { kind: "rejoin", status: "done" } });
    expect(world.asked.find(({ kind }) => kind === "probe")).toMatchObject({
      address: "10.0.0.1",
      port: 8080,
      question: { tcp: true },
    });
  });

  it("names the port that nobody listens on", () => {
    const world = awake();
    const answer: ProbeAnswer = { kind: "refused", message: "ECONNREFUSED" };
    world.answers.probe = ({ op, owner }) => ({ kind: "probed", op, owner, answer });
    world.deploy(byTcp, 1);
    world.tell(10, { kind: "verify", target: byTcp, holdMs: 0, attempt: 1 });
    world.run(31_000);
    expect(world.said().command?.failure?.message).toBe(
      "not healthy within 30s; the last connection to 10.0.0.1:8080: connection refused",
    );
  });
});

describe("health by a command", () => {
  it("is run beside the process, and its failure comes with what it printed", () => {
    const world = awake();
    ending(world, () => exit(2, "no response"));
    world.deploy(byCommand, 1);
    world.tell(10, { kind: "verify", target: byCommand, holdMs: 0, attempt: 1 });
    world.run(31_000);
    expect(world.said().command?.failure).toEqual({
      code: "health-grace",
      message: "not healthy within 30s; the last run of 'pg_isready -q': exit code 2",
      output: "no response",
    });
    expect(world.asked.find(({ kind }) => kind === "run-check")).toMatchObject({
      process: "p1",
      port: 8080,
      command: ["pg_isready", "-q"],
      timeoutMs: 2_000,
    });
    expect(world.count("probe")).toBe(0);
  });

  it("that fails while serving is news once, however its words change", () => {
    const world = awake();
    world.deploy(byCommand, 1);
    ending(world, (run) => exit(1, `at ${run}`));
    world.run(5_000);
    expect(world.said()).toMatchObject({ health: "bad", trouble: { code: "health-bad", output: "at 3" } });
    const said = world.reports.length;
    world.run(60_000);
    expect(world.reports).toHaveLength(said);
  });

  it("is not run while the instance drains", () => {
    const world = awake();
    world.deploy(byCommand, 1);
    world.tell(10, { kind: "drain", target: byCommand, edges: [] });
    const runs = world.count("run-check");
    world.run(10_000);
    expect(world.count("run-check")).toBe(runs);
  });
});

describe("the pace", () => {
  const byHttp = targetOf("v1", { health: { http: "/healthz", ...times } });
  const bad: ProbeAnswer = { kind: "status", status: 500 };
  /** How often the own process is asked in so long. */
  const askedIn = (world: World, forMs: number) => {
    const before = world.count("probe");
    world.run(forMs);
    return world.count("probe") - before;
  };

  it("is calmer once who serves has answered well for a while", () => {
    const world = awake();
    world.deploy(byHttp, 1);
    expect(askedIn(world, 5_000)).toBeGreaterThanOrEqual(9);
    world.run(10_000);
    expect(askedIn(world, 60_000)).toBe(12);
  });

  it("is the full one again from the first bad answer on, so that three of them are soon together", () => {
    const world = awake();
    world.deploy(byHttp, 1);
    world.run(20_000);
    world.answers.probe = ({ op, owner }) => ({ kind: "probed", op, owner, answer: bad });
    world.run(6_100);
    expect(world.said()).toMatchObject({ health: "bad" });
  });

  it("is the full one for who was well and is asked whether it may come back", () => {
    const world = awake();
    world.deploy(byHttp, 1);
    world.run(20_000);
    world.tell(10, { kind: "drain", target: byHttp, edges: [] });
    world.run(1_000);
    world.tell(11, { kind: "verify", target: byHttp, holdMs: 0, attempt: 1 });
    world.run(600);
    expect(world.said()).toMatchObject({ command: { kind: "verify", status: "done" } });
  });

  it("stays the full one where a command judges, since nobody else sees that", () => {
    const world = awake();
    ending(world, () => exit(0));
    world.deploy(byCommand, 1);
    world.run(20_000);
    const runs = world.count("run-check");
    world.run(10_000);
    expect(world.count("run-check") - runs).toBeGreaterThanOrEqual(19);
  });
});

it("an edge asks what it is told to ask of each target", () => {
  const world = awake();
  const content = { ...contentOf(["h2"]), checks: { [byTcp.id]: { tcp: true as const, ...times } } };
  world.send(revisionOf(world, 1, content));
  world.run(2_000);
  expect(world.asked.find(({ kind }) => kind === "probe")).toMatchObject({
    owner: { kind: "listed" },
    question: { tcp: true },
  });
});
