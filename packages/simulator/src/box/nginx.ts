import type { ApplyFailure, ServedRevision } from "@siding/agent/machine/event";
import type { UpstreamContent } from "@siding/shared/command";
import { contentDigest } from "@siding/shared/digest";
import type { Digest, HostId } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import { err, ok, type Result } from "@siding/shared/result";
import type { Surroundings } from "../surroundings.ts";
import type { RoutedList } from "./routed-list.ts";

interface Rendition {
  readonly content: UpstreamContent;
  readonly revision: number;
  readonly digest: Digest;
  readonly generation: number;
  /** Members that are left out, as `hostId/slot`. */
  readonly ejected: readonly string[];
}

/** What nginx is asked to serve. */
type Wanted = Pick<Rendition, "content" | "revision" | "ejected">;

interface Attempt extends Rendition {
  readonly outcome: "open" | "given-up";
}

/** What the edge remembers of its upstream on its disk. */
interface Disk {
  readonly confirmed: Rendition | null;
  readonly attempt: Attempt | null;
  readonly generation: number;
  readonly reloads: number;
  readonly ejections: number;
  readonly turnoverMs: number;
}

type Answer<T, E> = (result: Result<T, E>) => void;

/** How long a reload may take to show its effect. */
const confirmDeadlineMs = 10_000;
const writeMs = { least: 1, most: 8 };
const effectMs = { least: 2, most: 40 };
const turnoverMs = { least: 5, most: 400 };
const startMs = { least: 20, most: 200 };

/**
 * The inner nginx of an edge, and what the agent's adapter does to it: render, test, reload, confirm. What was begun takes
 * effect though the agent dies; what was not, does not. Old workers route by their list until they are gone.
 */
export class Nginx {
  readonly #edgeId: HostId;
  readonly #around: Surroundings;
  #master: "none" | "alive" | "dead" = "none";
  #lists: readonly RoutedList[] = [];
  #disk: Disk = { confirmed: null, attempt: null, generation: 0, reloads: 0, ejections: 0, turnoverMs: 0 };
  /** The agent's calls wait for each other; those of an agent that has died are dropped. */
  #turns: (() => void)[] = [];
  #agentLife = 0;
  #powerLife = 0;

  constructor(edgeId: HostId, around: Surroundings) {
    this.#edgeId = edgeId;
    this.#around = around;
  }

  get lists(): readonly RoutedList[] {
    return this.#lists;
  }

  get isMasterAlive(): boolean {
    return this.#master === "alive";
  }

  agentDied(): void {
    this.#agentLife += 1;
    this.#turns = [];
  }

  powerCut(): void {
    this.agentDied();
    this.#powerLife += 1;
    this.#master = "none";
    for (const list of this.#lists) this.#around.traffic.close(this.#edgeId, list, true);
    this.#lists = [];
  }

  /** Its workers live on. */
  killMaster(): void {
    if (this.#master === "alive") this.#master = "dead";
  }

  /** Find or start, then settle what an earlier agent left undecided. */
  start(answer: Answer<readonly ServedRevision[], StepFailure>): void {
    const served = () => answer(ok(this.#served()));
    this.#inTurn((done) => {
      this.#soon(startMs, () => {
        const finish = () => {
          served();
          done();
        };
        if (this.#master === "alive") this.#settle(finish);
        else this.#replace(finish);
      });
    });
  }

  recover(answer: Answer<null, StepFailure>): void {
    this.#inTurn((done) => {
      const finish = () => {
        answer(ok(null));
        done();
      };
      this.#soon(startMs, () => {
        if (this.#master === "alive") finish();
        else this.#replace(finish);
      });
    });
  }

  /** Whether nginx would take the content; what it serves is not touched. */
  prepare(answer: Answer<null, ApplyFailure>): void {
    this.#inTurn((done) => {
      this.#soon(writeMs, () => {
        const refusing = this.#around.weather.isRefusing(this.#edgeId);
        if (this.#master !== "alive") answer(err(trouble("the inner nginx has no master process")));
        else if (refusing) answer(err(refusal));
        else answer(ok(null));
        done();
      });
    });
  }

  apply(wanted: Wanted, answer: Answer<ServedRevision, ApplyFailure>): void {
    this.#inTurn((done) => {
      const finish = (failure: ApplyFailure | null) => {
        const [served] = this.#served();
        if (failure) answer(err(failure));
        else if (served) answer(ok(served));
        else throw new Error(`edge ${this.#edgeId} applied a revision and serves none`);
        done();
      };
      this.#soon(writeMs, () => {
        if (this.#master !== "alive") return finish(trouble("the inner nginx has no master process"));
        if (this.#isServedAlready(wanted)) {
          const generation = this.#disk.confirmed?.generation ?? this.#disk.generation;
          this.#disk = { ...this.#disk, confirmed: renditionOf(wanted, generation) };
          return finish(null);
        }
        return this.#change(wanted, finish);
      });
    });
  }

  #change(wanted: Wanted, finish: (failure: ApplyFailure | null) => void): void {
    const { weather } = this.#around;
    const before = this.#disk;
    const generation = before.generation + 1;
    const attempt: Attempt = { ...renditionOf(wanted, generation), outcome: "open" };
    this.#disk = { ...before, generation, attempt };
    this.#soon(writeMs, () => {
      if (weather.isRefusing(this.#edgeId)) {
        this.#disk = { ...this.#disk, attempt: before.attempt && { ...before.attempt, outcome: "given-up" } };
        return finish(refusal);
      }
      const counts = isSameList(before.confirmed?.content, wanted.content)
        ? { ejections: before.ejections + 1 }
        : { reloads: before.reloads + 1 };
      this.#disk = { ...this.#disk, ...counts };
      if (weather.isDeaf(this.#edgeId)) return this.#withoutEffect(attempt, finish);
      return this.#reload(attempt, finish);
    });
  }

  /** Once signalled, nginx goes through with it, agent or not. */
  #reload(attempt: Attempt, finish: (failure: ApplyFailure | null) => void): void {
    const { random } = this.#around;
    const life = this.#agentLife;
    const effectAfterMs = random.spread(effectMs.least, effectMs.most);
    const goneAfterMs = effectAfterMs + random.spread(turnoverMs.least, turnoverMs.most);
    const old = this.#lists;
    this.#later(effectAfterMs, () => {
      if (this.#master === "alive") this.#route(attempt);
    });
    this.#later(goneAfterMs, () => {
      const effective = this.#lists.some((list) => list.generation === attempt.generation);
      if (effective) this.#retire(old);
      if (this.#agentLife !== life) return;
      if (!effective || this.#master !== "alive")
        return finish(trouble("the inner nginx has no master process"));
      const { outcome: _, ...confirmed } = attempt;
      this.#disk = { ...this.#disk, confirmed, attempt: null, turnoverMs: goneAfterMs };
      return finish(null);
    });
  }

  /** The reload does nothing, or the old workers do not go: then both route until the old file is read again. */
  #withoutEffect(attempt: Attempt, finish: (failure: ApplyFailure | null) => void): void {
    const { random } = this.#around;
    const half = random.chance(0.5);
    if (half) this.#soon(effectMs, () => this.#master === "alive" && this.#route(attempt));
    const life = this.#agentLife;
    this.#later(confirmDeadlineMs, () => {
      if (this.#agentLife !== life) return;
      this.#disk = { ...this.#disk, attempt: { ...attempt, outcome: "given-up" } };
      this.#later(random.spread(effectMs.least, effectMs.most), () => this.#readOldFile(attempt));
      finish(trouble(`nginx was told to reload and does not serve revision ${attempt.revision}`));
    });
  }

  #readOldFile(attempt: Attempt): void {
    if (this.#master === "alive")
      this.#retire(this.#lists.filter((list) => list.generation === attempt.generation));
  }

  /** An earlier agent has left an attempt: either it can be seen to have ended well, or what was confirmed is put back. */
  #settle(finish: () => void): void {
    const { attempt, confirmed } = this.#disk;
    const newest = this.#lists.at(-1)?.generation === attempt?.generation;
    if (attempt === null) {
      finish();
    } else if (attempt.outcome === "open" && newest) {
      this.#awaitTurnover(attempt, finish);
    } else if (confirmed === null) {
      this.#disk = { ...this.#disk, attempt: null };
      finish();
    } else {
      this.#change(confirmed, finish);
    }
  }

  #awaitTurnover(attempt: Attempt, finish: () => void): void {
    this.#soon(turnoverMs, () => {
      if (this.#lists.length > 1) this.#retire(this.#lists.slice(0, -1));
      const { outcome: _, ...confirmed } = attempt;
      this.#disk = { ...this.#disk, confirmed, attempt: null };
      finish();
    });
  }

  /** A new nginx with what was confirmed; it decides whatever was undecided. Orphaned workers are retired. */
  #replace(finish: () => void): void {
    const orphans = this.#lists;
    this.#master = "alive";
    const { confirmed, generation } = this.#disk;
    this.#disk = { ...this.#disk, attempt: null, generation: generation + 1 };
    if (confirmed) {
      this.#route({ ...confirmed, generation: generation + 1 });
      this.#disk = { ...this.#disk, confirmed: { ...confirmed, generation: generation + 1 } };
    }
    this.#later(this.#around.random.spread(turnoverMs.least, turnoverMs.most), () => this.#retire(orphans));
    this.#soon({ least: turnoverMs.most + 1, most: turnoverMs.most + 50 }, finish);
  }

  #route(rendition: Rendition): void {
    const { generation, revision } = rendition;
    const list: RoutedList = { generation, revision, members: routedBy(rendition) };
    this.#lists = [...this.#lists, list];
    this.#around.traffic.open(this.#edgeId, list);
    this.#around.trace.line(this.#around.timeline.nowMs, () => {
      const members = list.members.map((member) => `${member.hostId}=${member.targetId}`).join(" ");
      return `${this.#edgeId} routes by ${revision} (generation ${generation}): ${members || "nobody"}`;
    });
    this.#around.record({ kind: "routed", edgeId: this.#edgeId, list });
  }

  #retire(lists: readonly RoutedList[]): void {
    const gone = this.#lists.filter((list) => lists.includes(list));
    this.#lists = this.#lists.filter((list) => !lists.includes(list));
    for (const list of gone) {
      this.#around.traffic.close(this.#edgeId, list, false);
      this.#around.trace.line(
        this.#around.timeline.nowMs,
        () =>
          `${this.#edgeId} has no worker of generation ${list.generation} (revision ${list.revision}) any more`,
      );
    }
  }

  #isServedAlready(wanted: Wanted): boolean {
    const { confirmed, attempt } = this.#disk;
    if (confirmed === null || attempt !== null) return false;
    const textOf = (routed: Wanted) => JSON.stringify([routedBy(routed), routed.content.balance]);
    return textOf(confirmed) === textOf(wanted);
  }

  #served(): readonly ServedRevision[] {
    const { confirmed, attempt, reloads, ejections, turnoverMs: took } = this.#disk;
    if (confirmed === null || attempt !== null) return [];
    const { revision, digest, generation, ejected } = confirmed;
    const { upstream } = confirmed.content;
    return [{ upstream, revision, digest, generation, reloads, ejections, ejected, turnoverMs: took }];
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

  /** Happens with or without the agent, as long as there is power. */
  #later(delayMs: number, happen: () => void): void {
    const life = this.#powerLife;
    this.#around.timeline.after(delayMs, () => {
      if (this.#powerLife === life) happen();
    });
  }

  /** Goes on after a while, if the agent still lives then. */
  #soon({ least, most }: { readonly least: number; readonly most: number }, goOn: () => void): void {
    const life = this.#agentLife;
    this.#around.timeline.after(this.#around.random.spread(least, most), () => {
      if (this.#agentLife === life) goOn();
    });
  }
}

function renditionOf({ content, revision, ejected }: Wanted, generation: number): Rendition {
  return { content, revision, digest: contentDigest(content), generation, ejected };
}

function routedBy({ content, ejected }: Wanted): UpstreamContent["members"] {
  return content.members.filter(({ hostId, slot }) => !ejected.includes(`${hostId}/${slot}`));
}

function isSameList(left: UpstreamContent | undefined, right: UpstreamContent): boolean {
  return JSON.stringify(left?.members) === JSON.stringify(right.members);
}

const refusal: ApplyFailure = { kind: "refused", message: "nginx: [emerg] invalid parameter (simulated)" };

function trouble(message: string): ApplyFailure {
  return { kind: "trouble", message };
}
