import type { Fault, KillPoint } from "../scenario/fault.ts";

/** Thrown where the control plane dies: nothing that stands after it happens. */
export class Killed extends Error {
  readonly downMs: number;

  constructor(downMs: number) {
    super("the control plane was killed");
    this.downMs = downMs;
  }
}

/** When the control plane is to die: at the given point of its `commit`th commit, counted over all its lives. */
type Kill = Extract<Fault, { kind: "control-plane-killed" }>;

/** Counts commits, and kills where that was planned. */
export class Killer {
  #plan: readonly Kill[];
  #commits = 0;

  constructor(plan: readonly Kill[]) {
    this.#plan = plan;
  }

  get commits(): number {
    return this.#commits;
  }

  /** No more deaths but those that are meant to come. */
  heal(): void {
    this.#plan = this.#plan.filter(({ lasting }) => lasting);
  }

  at(point: KillPoint): void {
    if (point === "before-commit") this.#commits += 1;
    const kill = this.#plan.find((each) => each.point === point && each.commit <= this.#commits);
    if (!kill) return;
    this.#plan = this.#plan.filter((each) => each !== kill);
    throw new Killed(kill.forMs);
  }
}
