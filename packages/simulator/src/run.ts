import type { Verdict } from "./judges/judge.ts";
import { liveness } from "./judges/liveness.ts";
import { type Brain, productionBrain } from "./plane/brain.ts";
import type { Scenario } from "./scenario/scenario.ts";
import { noTrace, type Trace } from "./trace.ts";
import { World } from "./world.ts";

export interface RunOptions {
  /** The pure parts that decide; others than production's to try a planted mistake. */
  readonly brain?: Brain;
  /** The production checker refuses decisions that break a rule. */
  readonly checker: boolean;
  readonly trace?: Trace;
}

export interface Outcome {
  /** Null where every judge is content. */
  readonly verdict: Verdict | null;
  readonly virtualMs: number;
  /** Appointments that were kept. */
  readonly steps: number;
  readonly events: number;
  readonly commits: number;
  /** How each wish of a person ended. */
  readonly endings: readonly string[];
  /** Kinds of events in the log: what came up at all. */
  readonly happened: ReadonlySet<string>;
}

/** After everything has healed, a rollout and whatever a person says to it comes to its end within this. */
const longestAfterHealMs = 4 * 3_600_000;
/** When all is said, the fleet converges within this: one host at a time, the unlucky ones tried ever more slowly. */
const longestConvergingMs = 2 * 3_600_000;
/** The fleet is looked at this often; it has come to rest when nothing is amiss twice in a row. */
const lookEveryMs = 20_000;

/** Lives one scenario from beginning to end: safety at every step, liveness after the healing. */
export function run(scenario: Scenario, options: RunOptions): Outcome {
  const brain = options.brain ?? productionBrain;
  const { checker, trace = noTrace } = options;
  const world = new World(scenario, { brain, checker, judges: true, trace });
  const { timeline, court } = world;
  world.begin();
  const untilMs = scenario.healAtMs + longestAfterHealMs;
  const isOver = () => court.verdict !== null || (world.isContent && timeline.nowMs >= scenario.healAtMs);
  while (!isOver() && timeline.next(untilMs));
  const amiss = court.verdict === null ? comeToRest(world) : null;
  return {
    verdict: court.verdict ?? amiss,
    virtualMs: timeline.nowMs,
    steps: timeline.happened,
    events: world.ledger.events.length,
    commits: world.killer.commits,
    endings: endingsOf(world),
    happened: new Set(world.ledger.events.map(({ body }) => body.type)),
  };
}

/** Goes on until the fleet is as it should be, and stays so for a look; else what is amiss. */
function comeToRest(world: World): Verdict | null {
  const { timeline, court } = world;
  const untilMs = timeline.nowMs + (world.isContent ? longestConvergingMs : 0);
  let amiss: Verdict | null = liveness(world);
  let calm = 0;
  while (calm < 2 && timeline.nowMs <= untilMs) {
    const lookAtMs = timeline.nowMs + lookEveryMs;
    while (court.verdict === null && timeline.next(lookAtMs));
    if (court.verdict) return null;
    amiss = liveness(world);
    calm = amiss ? 0 : calm + 1;
  }
  return amiss;
}

function endingsOf({ people, ledger }: World): readonly string[] {
  const fulfilled = people.flatMap((person) => person.fulfilled);
  return fulfilled.map((each) => {
    if (each.kind === "refused") return each.code;
    const end = ledger.events.find(
      ({ body }) => body.type === "rollout-finished" && body.rolloutId === each.id,
    );
    return end?.body.type === "rollout-finished" ? end.body.status : "?";
  });
}
