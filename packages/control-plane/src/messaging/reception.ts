import type { HostId, Incarnation } from "@siding/shared/ids";
import { parseMessage } from "@siding/shared/message";
import { Beat, Report } from "@siding/shared/report";
import { err, failure, ok, type Result } from "@siding/shared/result";
import { hostTokenOf } from "@siding/shared/subjects";
import type { Logger } from "pino";
import type { z } from "zod";

export interface ReceptionOptions {
  readonly hosts: ReadonlySet<HostId>;
  /** True where the beat says something new. */
  readonly acceptBeat: (beat: Beat) => boolean;
  /** Takes the report in; `unheard` is called where that could not be made durable. */
  readonly acceptReport: (report: Report, unheard: () => void) => void;
  /** A decision may depend on what has just been heard. */
  readonly wake: () => void;
  readonly log: Logger;
}

/** Late reports of this many earlier lives of an agent are still told from new ones. */
const rememberedIncarnations = 4;

/** A stream of broken messages is logged at its 1st, 2nd, 4th, 8th … message. */
const isPowerOfTwo = (count: number) => (count & (count - 1)) === 0;

/**
 * What arrives from agents. Nothing is believed but what its subject allows: NATS lets a host publish only as itself,
 * so the subject says who speaks. What can't be read is counted and dropped; the sender restates it when asked.
 */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #newest = new Map<HostId, Map<Incarnation, number>>();
  readonly #refused = new Map<string, number>();

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  /** How many messages were dropped, by code. */
  get refused(): ReadonlyMap<string, number> {
    return this.#refused;
  }

  beat(subject: string, bytes: Uint8Array): void {
    const beat = this.#read(Beat, subject, bytes);
    if (beat && this.#options.acceptBeat(beat)) this.#options.wake();
  }

  report(subject: string, bytes: Uint8Array): void {
    const report = this.#read(Report, subject, bytes);
    if (!report || !this.#isNew(report)) return;
    this.#remember(report);
    // What could not be made durable was not heard: the agent's next beat differs, and it is asked again.
    this.#options.acceptReport(report, () => this.#forget(report));
  }

  #read<S extends z.ZodType<{ hostId: HostId }>>(
    schema: S,
    subject: string,
    bytes: Uint8Array,
  ): z.output<S> | null {
    const parsed = parseMessage(schema, bytes);
    const message = parsed.ok ? this.#authentic(subject, parsed.value) : parsed;
    if (message.ok) return message.value;
    const { code } = message.error;
    const count = (this.#refused.get(code) ?? 0) + 1;
    this.#refused.set(code, count);
    if (isPowerOfTwo(count)) {
      const context = { event: "message-refused", code, subject, count };
      this.#options.log.warn(context, message.error.message);
    }
    return null;
  }

  #authentic<M extends { hostId: HostId }>(subject: string, message: M): Result<M> {
    const host = hostTokenOf(subject);
    if (host !== message.hostId) {
      return err(failure("message-impostor", `${host} speaks as ${message.hostId}`));
    }
    if (this.#options.hosts.has(message.hostId)) return ok(message);
    return err(failure("message-undeclared", `${message.hostId} is not declared in the config`));
  }

  #isNew({ hostId, incarnation, sequence }: Report): boolean {
    return sequence > (this.#newest.get(hostId)?.get(incarnation) ?? 0);
  }

  #forget({ hostId, incarnation, sequence }: Report): void {
    const lives = this.#newest.get(hostId);
    if (lives?.get(incarnation) === sequence) lives.set(incarnation, sequence - 1);
  }

  #remember({ hostId, incarnation, sequence }: Report): void {
    const lives = this.#newest.get(hostId) ?? new Map<Incarnation, number>();
    // A map keeps its order: the life that was heard of last stands at the end.
    lives.delete(incarnation);
    lives.set(incarnation, sequence);
    const [oldest] = lives.keys();
    if (lives.size > rememberedIncarnations && oldest !== undefined) lives.delete(oldest);
    this.#newest.set(hostId, lives);
  }
}
