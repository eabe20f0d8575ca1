import type { ApplyFailure, EdgeStart, ServedRevision } from "@siding/agent/machine/event";
import type { HostId, ServiceName } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import { err, ok, type Result } from "@siding/shared/result";
import type { Surroundings } from "../surroundings.ts";
import type { Range } from "./agent-life.ts";
import type { RoutedList } from "./routed-list.ts";
import { type Master, noMaster, refusal, Site, turnoverMs, type Wanted, writeMs } from "./site.ts";

type Answer<T, E> = (result: Result<T, E>) => void;

const startMs = { least: 20, most: 200 };

/** The inner nginx of an edge: one master, and a file for each upstream. Calls of its agent wait for each other. */
export class Nginx implements Master {
  readonly edgeId: HostId;
  readonly around: Surroundings;
  readonly #sites = new Map<ServiceName, Site>();
  #master: "none" | "alive" | "dead" = "none";
  /** Those of an agent that has died are dropped. */
  #turns: (() => void)[] = [];
  #agentLife = 0;
  #powerLife = 0;

  constructor(edgeId: HostId, around: Surroundings) {
    this.edgeId = edgeId;
    this.around = around;
  }

  get isAlive(): boolean {
    return this.#master === "alive";
  }

  get agentLife(): number {
    return this.#agentLife;
  }

  listsOf(service: ServiceName): readonly RoutedList[] {
    return this.#sites.get(service)?.lists ?? [];
  }

  agentDied(): void {
    this.#agentLife += 1;
    this.#turns = [];
  }

  powerCut(): void {
    this.agentDied();
    this.#powerLife += 1;
    this.#master = "none";
    for (const site of this.#sites.values()) site.powerCut();
  }

  /** Its workers live on. */
  killMaster(): void {
    if (this.#master === "alive") this.#master = "dead";
  }

  /** Find, and settle what an earlier agent left undecided; or start with these lists, where there are any to start with. */
  start(lists: readonly Wanted[] | null, answer: Answer<EdgeStart, StepFailure>): void {
    this.#inTurn((done) => {
      this.soon(startMs, () => {
        const finish = (kind: EdgeStart["kind"]) => {
          const confirmed = [...this.#sites.values()].flatMap((site) => site.served() ?? []);
          answer(ok({ kind, confirmed }));
          done();
        };
        if (this.isAlive) settleAll([...this.#sites.values()], () => finish("serving"));
        else if (lists === null && this.#master === "none") finish("cold");
        else {
          for (const wanted of lists ?? []) this.#site(serviceOf(wanted)).note(wanted);
          this.#replace(() => finish("serving"));
        }
      });
    });
  }

  recover(answer: Answer<null, StepFailure>): void {
    this.#inTurn((done) => {
      const finish = () => {
        answer(ok(null));
        done();
      };
      this.soon(startMs, () => {
        if (this.isAlive) finish();
        else this.#replace(finish);
      });
    });
  }

  /** Whether nginx would take the content; what it serves is not touched. */
  prepare(answer: Answer<null, ApplyFailure>): void {
    this.#inTurn((done) => {
      this.soon(writeMs, () => {
        if (!this.isAlive) answer(err(noMaster));
        else if (this.around.weather.isRefusing(this.edgeId)) answer(err(refusal));
        else answer(ok(null));
        done();
      });
    });
  }

  apply(wanted: Wanted, answer: Answer<ServedRevision, ApplyFailure>): void {
    const site = this.#site(serviceOf(wanted));
    this.#inTurn((done) => {
      const finish = (failure: ApplyFailure | null) => {
        const served = site.served();
        if (failure) answer(err(failure));
        else if (served) answer(ok(served));
        else throw new Error(`edge ${this.edgeId} applied a revision and serves none`);
        done();
      };
      this.soon(writeMs, () => (this.isAlive ? site.apply(wanted, finish) : finish(noMaster)));
    });
  }

  later(delayMs: number, happen: () => void): void {
    const life = this.#powerLife;
    this.around.timeline.after(delayMs, () => {
      if (this.#powerLife === life) happen();
    });
  }

  soon({ least, most }: Range, goOn: () => void): void {
    const life = this.#agentLife;
    this.around.timeline.after(this.around.random.spread(least, most), () => {
      if (this.#agentLife === life) goOn();
    });
  }

  #site(service: ServiceName): Site {
    const known = this.#sites.get(service) ?? new Site(service, this);
    this.#sites.set(service, known);
    return known;
  }

  #replace(finish: () => void): void {
    this.#master = "alive";
    for (const site of this.#sites.values()) site.replace();
    this.soon({ least: turnoverMs.most + 1, most: turnoverMs.most + 50 }, finish);
  }

  /** One call after the other. */
  #inTurn(work: (done: () => void) => void): void {
    const life = this.#agentLife;
    const turn = () =>
      work(() => {
        if (this.#agentLife !== life) return;
        this.#turns.shift();
        this.#turns[0]?.();
      });
    this.#turns.push(turn);
    if (this.#turns.length === 1) turn();
  }
}

/** Upstreams of scenarios have the names of their services. */
function serviceOf({ content: { upstream } }: Wanted): ServiceName {
  return upstream as string as ServiceName;
}

function settleAll([site, ...others]: readonly Site[], finish: () => void): void {
  if (site) site.settle(() => settleAll(others, finish));
  else finish();
}
