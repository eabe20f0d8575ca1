import type { ActionOf } from "@siding/control-plane/rollout/action";
import type { HostId, Version } from "@siding/shared/ids";
import { RolloutBody } from "@siding/shared/rest";
import { SpecInput } from "@siding/shared/spec";
import { productionBrain } from "./plane/brain.ts";
import type { MoveWish, Scenario, ServicePlan } from "./scenario/scenario.ts";
import { noTrace } from "./trace.ts";
import { World } from "./world.ts";

/** A fleet that takes longer than this has come to a halt. */
const longestVirtualMs = 24 * 3_600_000;
/** From the start of a process to its first good answer. */
const startMs = 500;

/** What one rollout took. */
interface Took {
  /** Of this machine's time. */
  readonly tookMs: number;
  readonly virtualMs: number;
  readonly steps: number;
  readonly events: number;
}

/**
 * Rolls a release out over a fleet to which nothing happens, as fast as the cores, the checker and the simulated hands
 * can; nobody judges. Measured is the second
 * rollout: by the first one the fleet comes to serve at all.
 */
export function rolledOut(hosts: number, batchSize: string, roundMs: number): Took {
  const world = new World(scenario(hosts, batchSize, roundMs), {
    brain: productionBrain,
    checker: true,
    judges: false,
    trace: noTrace,
  });
  world.begin();
  untilFinished(world, 1);
  const [startedMs, fromMs, steps, events] = [performance.now(), ...standing(world)];
  untilFinished(world, 2);
  const tookMs = performance.now() - startedMs;
  const [toMs, laterSteps, laterEvents] = standing(world);
  return { tookMs, virtualMs: toMs - fromMs, steps: laterSteps - steps, events: laterEvents - events };
}

function standing({ timeline, ledger }: World): readonly [number, number, number] {
  return [timeline.nowMs, timeline.happened, ledger.events.length];
}

/** Lives on until so many rollouts of the person have succeeded. What the fleet does of itself is not counted. */
function untilFinished({ timeline, ledger }: World, rollouts: number): void {
  const succeeded = new Set<string>();
  let looked = 0;
  while (succeeded.size < rollouts) {
    if (!timeline.next(longestVirtualMs)) throw new Error(`rollout ${rollouts} came to no end`);
    for (; looked < ledger.events.length; looked += 1) {
      const body = ledger.events[looked]?.body;
      if (body?.type === "rollout-finished" && endedWell(body)) succeeded.add(body.rolloutId);
    }
  }
}

function endedWell({ rolloutId, status, cause }: ActionOf<"rollout-finished">): boolean {
  if (rolloutId.startsWith("r-converge-")) return false;
  if (status === "succeeded") return true;
  throw new Error(`${rolloutId} ended as ${status}: ${cause?.message ?? "no cause"}`);
}

/** A calm day: nothing is lost or late, and every release is sound. */
function scenario(hosts: number, batchSize: string, roundMs: number): Scenario {
  const hostIds = Array.from({ length: hosts }, (_, index) => `h${index + 1}` as HostId);
  return {
    seed: 1,
    hosts: hostIds.map((hostId) => ({ hostId, bornAtMs: 0, zone: "z1", load: 0.2 })),
    edges: [{ hostId: "e1" as HostId, bornAtMs: 0 }],
    beatIntervalMs: 10_000,
    services: [service(batchSize)],
    deeds: [],
    faults: [],
    weather: { longestDelayMs: 1, loss: 0, duplication: 0, reordering: 0 },
    traffic: { longestRequestMs: 50, endless: [], stranger: false },
    healAtMs: 0,
    roundMs,
  };
}

function service(batchSize: string): ServicePlan {
  const written = {
    name: "web",
    hosts: { match: { role: "web" } },
    run: { command: ["./service"] },
    port: 8080,
    health: { http: "/healthz", interval: "2s", timeout: "1s", rise: 1 },
    capacity: { minServing: "50%" },
    edge: { match: { role: "edge" } },
    strategy: { kind: "rolling" as const, batchSize },
  };
  const versions = ["v1", "v2"] as readonly string[] as readonly Version[];
  return {
    spec: SpecInput.parse(written),
    written,
    releases: versions.map((version) => ({
      version,
      conduct: { kind: "sound", startMs: startMs },
      elsewhere: new Map(),
    })),
    wishes: versions.map(
      (version): MoveWish => ({
        kind: "release",
        version,
        body: RolloutBody.parse({ version }),
        declares: null,
        isEager: false,
      }),
    ),
    person: { says: [], patienceMs: 60_000, resumes: 0, ending: "abort" },
  };
}
