import type { ApplyFailure, ServedRevision } from "@siding/agent/machine/event";
import type { UpstreamContent } from "@siding/shared/command";
import { hasSameContent } from "@siding/shared/digest";
import type { Digest, HostId, ServiceName } from "@siding/shared/ids";
import { upstreamDigest } from "@siding/shared/upstream-digest";
import type { Surroundings } from "../surroundings.ts";
import type { Range } from "./agent-life.ts";
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
export type Wanted = Pick<Rendition, "content" | "revision" | "ejected">;

interface Attempt extends Rendition {
  readonly outcome: "open" | "given-up";
}

/** What the edge remembers of an upstream on its disk. */
interface Disk {
  readonly confirmed: Rendition | null;
  readonly attempt: Attempt | null;
  readonly generation: number;
  readonly reloads: number;
  readonly ejections: number;
  readonly turnoverMs: number;
}

/** The nginx that a site is part of. */
export interface Master {
  readonly edgeId: HostId;
  readonly around: Surroundings;
  readonly isAlive: boolean;
  /** Which life of the agent this is: what an earlier one was told is told to nobody. */
  readonly agentLife: number;
  /** Happens with or without the agent, as long as there is power. */
  later(delayMs: number, happen: () => void): void;
  /** Goes on after a while, if the agent still lives then. */
  soon(range: Range, goOn: () => void): void;
}

/** Null: it went well. */
type Finish = (failure: ApplyFailure | null) => void;

/** How long a reload may take to show its effect. */
const confirmDeadlineMs = 10_000;
export const writeMs = { least: 1, most: 8 };
const effectMs = { least: 2, most: 40 };
export const turnoverMs = { least: 5, most: 400 };

/**
 * One upstream in the inner nginx, and what the agent's adapter does to it: render, test, reload, confirm. What was begun
 * takes effect though the agent dies; what was not, does not. Old workers route by their list until they are gone.
 */
export class Site {
  readonly #service: ServiceName;
  readonly #master: Master;
  #lists: readonly RoutedList[] = [];
  #disk: Disk = { confirmed: null, attempt: null, generation: 0, reloads: 0, ejections: 0, turnoverMs: 0 };

  constructor(service: ServiceName, master: Master) {
    this.#service = service;
    this.#master = master;
  }

  get lists(): readonly RoutedList[] {
    return this.#lists;
  }

  powerCut(): void {
    const { around, edgeId } = this.#master;
    for (const list of this.#lists) around.traffic.close(edgeId, list, true);
    this.#lists = [];
  }

  /** Is served from the first request on by an nginx that starts, unless it refuses that. */
  note(wanted: Wanted): void {
    const { around, edgeId } = this.#master;
    if (around.weather.isRefusing(edgeId)) return;
    this.#disk = { ...this.#disk, confirmed: renditionOf(wanted, this.#disk.generation) };
  }

  apply(wanted: Wanted, finish: Finish): void {
    if (!this.#isServedAlready(wanted)) {
      this.#change(wanted, finish);
      return;
    }
    const generation = this.#disk.confirmed?.generation ?? this.#disk.generation;
    this.#disk = { ...this.#disk, confirmed: renditionOf(wanted, generation) };
    finish(null);
  }

  /** Null where nothing is served for certain. */
  served(): ServedRevision | null {
    const { confirmed, attempt, reloads, ejections, turnoverMs: took } = this.#disk;
    if (confirmed === null || attempt !== null) return null;
    const { revision, digest, generation, ejected } = confirmed;
    const { upstream } = confirmed.content;
    return { upstream, revision, digest, generation, reloads, ejections, ejected, turnoverMs: took };
  }

  /** An earlier agent has left an attempt: either it can be seen to have ended well, or what was confirmed is put back. */
  settle(finish: () => void): void {
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

  /** A new nginx with what was confirmed; it decides whatever was undecided. Orphaned workers are retired. */
  replace(): void {
    const orphans = this.#lists;
    const { random } = this.#master.around;
    const { confirmed, generation } = this.#disk;
    this.#disk = { ...this.#disk, attempt: null, generation: generation + 1 };
    if (confirmed) {
      this.#route({ ...confirmed, generation: generation + 1 });
      this.#disk = { ...this.#disk, confirmed: { ...confirmed, generation: generation + 1 } };
    }
    this.#master.later(random.spread(turnoverMs.least, turnoverMs.most), () => this.#retire(orphans));
  }

  #change(wanted: Wanted, finish: Finish): void {
    const { edgeId, around } = this.#master;
    const before = this.#disk;
    const generation = before.generation + 1;
    const attempt: Attempt = { ...renditionOf(wanted, generation), outcome: "open" };
    this.#disk = { ...before, generation, attempt };
    this.#master.soon(writeMs, () => {
      if (around.weather.isRefusing(edgeId)) {
        this.#disk = { ...this.#disk, attempt: before.attempt && { ...before.attempt, outcome: "given-up" } };
        return finish(refusal);
      }
      const counts = isSameList(before.confirmed?.content, wanted.content)
        ? { ejections: before.ejections + 1 }
        : { reloads: before.reloads + 1 };
      this.#disk = { ...this.#disk, ...counts };
      if (around.weather.isDeaf(edgeId)) return this.#withoutEffect(attempt, finish);
      return this.#reload(attempt, finish);
    });
  }

  /** Once signalled, nginx goes through with it, agent or not. */
  #reload(attempt: Attempt, finish: Finish): void {
    const { around, agentLife } = this.#master;
    const { random } = around;
    const effectAfterMs = random.spread(effectMs.least, effectMs.most);
    const goneAfterMs = effectAfterMs + random.spread(turnoverMs.least, turnoverMs.most);
    const old = this.#lists;
    this.#master.later(effectAfterMs, () => {
      if (this.#master.isAlive) this.#route(attempt);
    });
    this.#master.later(goneAfterMs, () => {
      const effective = this.#lists.some((list) => list.generation === attempt.generation);
      if (effective) this.#retire(old);
      if (this.#master.agentLife !== agentLife) return;
      if (!effective || !this.#master.isAlive) return finish(noMaster);
      const { outcome: _, ...confirmed } = attempt;
      this.#disk = { ...this.#disk, confirmed, attempt: null, turnoverMs: goneAfterMs };
      return finish(null);
    });
  }

  /** The reload does nothing, or the old workers do not go: then both route until the old file is read again. */
  #withoutEffect(attempt: Attempt, finish: Finish): void {
    const { around, agentLife } = this.#master;
    const { random } = around;
    const half = random.chance(0.5);
    if (half) this.#master.soon(effectMs, () => this.#master.isAlive && this.#route(attempt));
    this.#master.later(confirmDeadlineMs, () => {
      if (this.#master.agentLife !== agentLife) return;
      this.#disk = { ...this.#disk, attempt: { ...attempt, outcome: "given-up" } };
      const readsAfterMs = random.spread(effectMs.least, effectMs.most);
      this.#master.later(readsAfterMs, () => this.#readOldFile(attempt));
      finish(trouble(`nginx was told to reload and does not serve revision ${attempt.revision}`));
    });
  }

  #readOldFile(attempt: Attempt): void {
    if (this.#master.isAlive)
      this.#retire(this.#lists.filter((list) => list.generation === attempt.generation));
  }

  #awaitTurnover(attempt: Attempt, finish: () => void): void {
    this.#master.soon(turnoverMs, () => {
      if (this.#lists.length > 1) this.#retire(this.#lists.slice(0, -1));
      const { outcome: _, ...confirmed } = attempt;
      this.#disk = { ...this.#disk, confirmed, attempt: null };
      finish();
    });
  }

  #route(rendition: Rendition): void {
    const { around, edgeId } = this.#master;
    const { generation, revision } = rendition;
    const list: RoutedList = {
      service: this.#service,
      generation,
      revision,
      members: routedBy(rendition),
    };
    this.#lists = [...this.#lists, list];
    around.traffic.open(edgeId, list);
    around.trace.line(around.timeline.nowMs, () => {
      const members = list.members.map((member) => `${member.hostId}=${member.targetId}`).join(" ");
      return `${edgeId} routes ${this.#service} by ${revision} (generation ${generation}): ${members || "nobody"}`;
    });
    around.record({ kind: "routed", edgeId, list });
  }

  #retire(lists: readonly RoutedList[]): void {
    const { around, edgeId } = this.#master;
    const gone = this.#lists.filter((list) => lists.includes(list));
    this.#lists = this.#lists.filter((list) => !lists.includes(list));
    for (const list of gone) {
      around.traffic.close(edgeId, list, false);
      around.trace.line(
        around.timeline.nowMs,
        () =>
          `${edgeId} has no worker of generation ${list.generation} (${this.#service}, revision ${list.revision}) any more`,
      );
    }
  }

  #isServedAlready(wanted: Wanted): boolean {
    const { confirmed, attempt } = this.#disk;
    if (confirmed === null || attempt !== null) return false;
    const routed = (rendition: Wanted) => [routedBy(rendition), rendition.content.balance];
    return hasSameContent(routed(confirmed), routed(wanted));
  }
}

function renditionOf({ content, revision, ejected }: Wanted, generation: number): Rendition {
  return { content, revision, digest: upstreamDigest(content), generation, ejected };
}

function routedBy({ content, ejected }: Wanted): UpstreamContent["members"] {
  if (ejected.length === 0) return content.members;
  return content.members.filter(({ hostId, slot }) => !ejected.includes(`${hostId}/${slot}`));
}

function isSameList(left: UpstreamContent | undefined, right: UpstreamContent): boolean {
  return hasSameContent(left?.members, right.members);
}

export const refusal: ApplyFailure = {
  kind: "refused",
  message: "nginx: [emerg] invalid parameter (simulated)",
};

export const noMaster = trouble("the inner nginx has no master process");

function trouble(message: string): ApplyFailure {
  return { kind: "trouble", message };
}
