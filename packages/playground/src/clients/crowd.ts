import { setTimeout as pause } from "node:timers/promises";
import { Connection } from "./connection.ts";
import type { Failed } from "./failure.ts";
import { judge, type Served } from "./judge.ts";
import { KINDS, type KindName } from "./kinds.ts";
import type { TrafficPlan } from "./plan.ts";
import { Tally } from "./tally.ts";

/** After a failure a client waits: an outage should count as its users see it, not as fast as the kernel refuses. */
const PAUSE_AFTER_FAILURE_MS = 50;

/** All clients of a plan in this process. */
export class Crowd {
  readonly tally = new Tally();
  #plan: TrafficPlan;
  #begun = 0;
  #stopped = false;

  constructor(plan: TrafficPlan) {
    this.#plan = plan;
  }

  /** Runs until the plan's limit is reached or {@link stop} is called, and every request in flight has ended. */
  async run(): Promise<void> {
    const clients = this.#plan.groups.flatMap(({ kind, clients, thinkMs }) =>
      Array.from({ length: clients }, () => this.#client(kind, thinkMs)),
    );
    await Promise.all(clients);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #client(kind: KindName, thinkMs: number): Promise<void> {
    let connection: Connection | undefined;
    await think(thinkMs);
    for (let ticket = this.#nextTicket(); ticket !== undefined; ticket = this.#nextTicket()) {
      if (connection?.usable === false) {
        this.tally.idleCloses += 1;
        connection = undefined;
      }
      const startedMs = performance.now();
      const request = await this.#request(kind, ticket, connection);
      this.tally.add(kind, request.outcome, performance.now() - startedMs);
      connection = request.connection;
      if (!request.outcome.ok) await pause(PAUSE_AFTER_FAILURE_MS);
      await think(thinkMs);
    }
    connection?.close();
  }

  /** One request, never a second try. Gives the connection where it may be used again. */
  async #request(
    kindName: KindName,
    ticket: number,
    kept: Connection | undefined,
  ): Promise<{ outcome: Served | Failed; connection: Connection | undefined }> {
    const kind = KINDS[kindName];
    const { target, timeoutMs, versions } = this.#plan;
    const connection = kept ?? (await Connection.open(target, timeoutMs));
    if (!(connection instanceof Connection)) return { outcome: connection, connection: undefined };
    const answer = await connection.exchange(kind.write(ticket));
    const outcome = answer.ok ? judge(kind, ticket, answer, versions) : answer;
    const again = outcome.ok && kind.keepsConnection && answer.ok && !answer.closes;
    if (!again) connection.close();
    return { outcome, connection: again ? connection : undefined };
  }

  #nextTicket(): number | undefined {
    if (this.#stopped || this.#begun === this.#plan.limit) return undefined;
    this.#begun += 1;
    return this.#begun;
  }
}

async function think(thinkMs: number): Promise<void> {
  if (thinkMs > 0) await pause(Math.random() * 2 * thinkMs);
}
