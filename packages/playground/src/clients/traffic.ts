import { join } from "node:path";
import type { Program } from "../processes/program.ts";
import type { Yard } from "../processes/yard.ts";
import { until } from "../until.ts";
import type { Counts } from "./counts.ts";
import { type TrafficOrder, TrafficReport } from "./messages.ts";
import type { TrafficPlan } from "./plan.ts";

/** Above the longest request of any kind with its timeout. */
const FINISH_DEADLINE_MS = 60_000;

/** A few hundred requests take less than a second, unless nobody answers them. */
const MORE_DEADLINE_MS = 60_000;

/** Strict clients at work in a process of their own. */
export class Traffic {
  #program: Program;
  #waiting: ((report: TrafficReport) => void)[] = [];
  #finished: Promise<Counts>;

  private constructor(program: Program) {
    this.#program = program;
    const { promise, resolve, reject } = Promise.withResolvers<Counts>();
    this.#finished = promise;
    // Whoever never asks for the end must not be ended by it.
    promise.catch(() => {});
    program.onMessage((message) => {
      const report = TrafficReport.parse(message);
      if (report.final) resolve(report.counts);
      for (const settle of this.#waiting.splice(0)) settle(report);
    });
    void program.ended.then((end) =>
      reject(new Error(`the clients ended with ${end}: ${program.logTail(5)}`)),
    );
  }

  /** Starts the clients of a plan; gives them once the first of their requests is answered. */
  static async start(yard: Yard, name: string, plan: TrafficPlan): Promise<Traffic> {
    const program = yard.start({
      name,
      command: process.execPath,
      args: [join(import.meta.dirname, "clients.main.ts")],
      channel: true,
    });
    const traffic = new Traffic(program);
    program.send(plan);
    await until("the first answers", async () => (await traffic.read()).requests > 0, plan.timeoutMs * 2);
    return traffic;
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** What they have seen so far. */
  async read(): Promise<Counts> {
    const { promise, resolve } = Promise.withResolvers<TrafficReport>();
    this.#waiting.push(resolve);
    this.#order("read");
    // A plan with a limit may have come to its end: then nobody answers any more.
    const counts = await Promise.race([promise.then((report) => report.counts), this.#finished]);
    return counts;
  }

  /** Waits until so many more requests have ended: traffic as it is when nothing else happens. */
  async more(requests: number): Promise<void> {
    const wanted = (await this.read()).requests + requests;
    await until(
      `${requests} more requests`,
      async () => (await this.read()).requests >= wanted,
      MORE_DEADLINE_MS,
    );
  }

  /** Waits for the end of a plan with a limit. */
  finished(): Promise<Counts> {
    return this.#finished;
  }

  /** Lets every request in flight end, and gives the final counts. */
  async stop(): Promise<Counts> {
    this.#order("stop");
    const impatience = setTimeout(() => void this.#program.kill(), FINISH_DEADLINE_MS);
    try {
      return await this.#finished;
    } finally {
      clearTimeout(impatience);
      await this.#program.kill();
    }
  }

  #order(order: TrafficOrder["order"]): void {
    this.#program.send({ order } satisfies TrafficOrder);
  }
}
