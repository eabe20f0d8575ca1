import type { Core } from "@siding/control-plane/orchestrator/decide";
import { advance } from "@siding/control-plane/rollout/advance";
import { check } from "@siding/control-plane/rollout/check";
import type { Verdict } from "./judges/judge.ts";
import { liveness } from "./judges/liveness.ts";
import type { Scenario } from "./scenario/scenario.ts";
import { noTrace, type Trace } from "./trace.ts";
import { World } from "./world.ts";

export interface RunOptions {
  /** The core that decides; another one to try a planted mistake. */
  readonly advance?: Core["advance"];
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
  /** How each rollout ended. */
  readonly endings: readonly string[];
}

/** After everything has healed, a rollout and whatever a person says to it comes to its end within this. */
const longestAfterHealMs = 4 * 3_600_000;
/** What is still on its way when the last rollout has ended. */
const settleMs = 60_000;

/** Lives one scenario from beginning to end: safety at every step, liveness after the healing. */
export function run(scenario: Scenario, options: RunOptions): Outcome {
  const core: Core = { advance: options.advance ?? advance, check: options.checker ? check : () => [] };
  const world = new World(scenario, core, options.trace ?? noTrace);
  const { timeline, court, person } = world;
  world.begin();
  const untilMs = scenario.healAtMs + longestAfterHealMs;
  const isOver = () => court.verdict !== null || (person.isContent && timeline.nowMs >= scenario.healAtMs);
  while (!isOver() && timeline.next(untilMs));
  const overAtMs = timeline.nowMs + settleMs;
  while (court.verdict === null && person.isContent && timeline.next(overAtMs));
  return {
    verdict: court.verdict ?? liveness(world),
    virtualMs: timeline.nowMs,
    steps: timeline.happened,
    events: world.ledger.events.length,
    commits: world.killer.commits,
    endings: endingsOf(world),
  };
}

function endingsOf({ person, ledger }: World): readonly string[] {
  return person.fulfilled.map((each) => {
    if (each.kind === "refused") return each.code;
    const end = ledger.events.find(
      ({ body }) => body.type === "rollout-finished" && body.rolloutId === each.id,
    );
    return end?.body.type === "rollout-finished" ? end.body.status : "?";
  });
}
