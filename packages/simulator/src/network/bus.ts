import type { Random } from "../random.ts";
import type { Party } from "../scenario/fault.ts";
import type { NetworkWeather } from "../scenario/scenario.ts";
import type { Timeline } from "../timeline.ts";

/** A participant of the bus: told when its connection is lost and when it is back, unless that goes unnoticed. */
export interface Subscriber {
  readonly connected: () => void;
  readonly disconnected: () => void;
}

interface Line {
  /** Null while no process of the participant runs. */
  readonly subscriber: Subscriber | null;
  /** How many faults hold it down at present. */
  cuts: number;
  /** Whether the participant believes to be connected. */
  believesUp: boolean;
  /** Counts every attempt to connect, so that an older one is known as such. */
  attempt: number;
  /** When the newest message of each sender arrives: without reordering nothing overtakes it. */
  readonly newestMs: Map<Party, number>;
}

/** A connection is made in about this time. */
const connectMs = { least: 5, most: 200 };
const calmDelayMs = 3;
/** A copy, or what was overtaken, comes at most so much later. */
const longestStrayMs = 3_000;

/** Core NATS as the agents know it: at most once, and under faults late, twice, out of order or not at all. */
export class Bus {
  readonly #timeline: Timeline;
  readonly #random: Random;
  #weather: NetworkWeather;
  readonly #lines = new Map<Party, Line>();

  constructor(timeline: Timeline, random: Random, weather: NetworkWeather) {
    this.#timeline = timeline;
    this.#random = random;
    this.#weather = weather;
  }

  heal(): void {
    this.#weather = { longestDelayMs: calmDelayMs, loss: 0, duplication: 0, reordering: 0 };
  }

  /** A participant starts; it is told when it is connected. */
  join(party: Party, subscriber: Subscriber): void {
    const line = { ...emptyLine(subscriber), cuts: this.#lines.get(party)?.cuts ?? 0 };
    this.#lines.set(party, line);
    this.#connect(line);
  }

  /** A participant's process is gone. */
  leave(party: Party): void {
    const line = this.#lines.get(party);
    if (!line) return;
    this.#lines.set(party, { ...emptyLine(null), cuts: line.cuts });
    line.attempt = Number.POSITIVE_INFINITY;
  }

  isUp(party: Party): boolean {
    const line = this.#lines.get(party);
    return line !== undefined && line.cuts === 0 && line.believesUp;
  }

  /** Cuts a participant off until {@link mend}. `noticed`: its connection breaks; else its messages only vanish. */
  cut(party: Party, noticed: boolean): void {
    const line = this.#lines.get(party) ?? emptyLine(null);
    this.#lines.set(party, line);
    line.cuts += 1;
    if (noticed) this.#lose(line);
  }

  mend(party: Party): void {
    const line = this.#lines.get(party);
    if (!line || line.cuts === 0) return;
    line.cuts -= 1;
    if (line.cuts === 0 && !line.believesUp) this.#connect(line);
  }

  /** Ends every cut of a participant. */
  mendAll(party: Party): void {
    const line = this.#lines.get(party);
    if (!line) return;
    line.cuts = Math.min(line.cuts, 1);
    if (line.cuts > 0) this.mend(party);
    else if (!line.believesUp) this.#connect(line);
  }

  /** `deliver` runs when the message arrives, once, more often, or never. */
  send(from: Party, to: Party, deliver: () => void): void {
    const { loss, duplication } = this.#weather;
    if (!this.isUp(from) || this.#random.chance(loss)) return;
    this.#arrive(from, to, deliver);
    if (this.#random.chance(duplication)) this.#arrive(from, to, deliver);
  }

  #arrive(from: Party, to: Party, deliver: () => void): void {
    const line = this.#lines.get(to);
    if (!line) return;
    const { longestDelayMs, reordering } = this.#weather;
    const { nowMs } = this.#timeline;
    const strays = this.#random.chance(reordering);
    const delayMs = this.#random.spread(1, strays ? longestStrayMs : Math.max(1, longestDelayMs));
    const newestMs = line.newestMs.get(from) ?? 0;
    const atMs = strays ? nowMs + delayMs : Math.max(newestMs, nowMs + delayMs);
    if (!strays) line.newestMs.set(from, atMs);
    this.#timeline.at(atMs, () => {
      if (this.#lines.get(to) === line && this.isUp(to)) deliver();
    });
  }

  #connect(line: Line): void {
    line.attempt += 1;
    const { attempt } = line;
    this.#timeline.after(this.#random.spread(connectMs.least, connectMs.most), () => {
      if (!line.subscriber || line.attempt !== attempt || line.cuts > 0 || line.believesUp) return;
      line.believesUp = true;
      line.subscriber.connected();
    });
  }

  #lose(line: Line): void {
    if (!line.believesUp) return;
    line.believesUp = false;
    line.attempt += 1;
    line.subscriber?.disconnected();
  }
}

function emptyLine(subscriber: Subscriber | null): Line {
  return { subscriber, cuts: 0, believesUp: false, attempt: 0, newestMs: new Map() };
}
