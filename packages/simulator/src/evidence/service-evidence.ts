import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { Member } from "@siding/shared/command";
import type { HostId, ServiceName, TargetId } from "@siding/shared/ids";
import type { ProbeReport } from "@siding/shared/report";
import type { ServiceSpec } from "@siding/shared/spec";
import type { HostEvidence, InstanceEvidence } from "./host-evidence.ts";
import { EdgeEvidence } from "./host-evidence.ts";
import type { RolloutEvidence } from "./rollout-evidence.ts";

type Body = LedgerEvent["body"];
type BodyOf<Type extends Body["type"]> = Extract<Body, { type: Type }>;

/** The newest list of an upstream. */
interface Wanted {
  readonly revision: number;
  readonly members: readonly Member[];
  /** The edges that take it together or not at all; empty where each takes it by itself. */
  readonly together: readonly HostId[];
}

/** What the log says of one service: its spec, its lists and who has served. */
export class ServiceEvidence {
  readonly name: ServiceName;
  spec: ServiceSpec;
  specRevision: number;
  /** The list that the ledger wants, and every list by its revision. */
  wanted: Wanted = { revision: 0, members: [], together: [] };
  readonly lists = new Map<number, readonly Member[]>();
  /** Revisions of a restored ledger that only say anew what an edge has accepted before: nobody decided them now. */
  readonly restated = new Set<number>();
  #observed: readonly Member[] | null = null;
  readonly edges = new Map<HostId, EdgeEvidence>();
  /** What a restored ledger was told that hosts serve, by them or by an edge, since a person's newer rollout succeeded. */
  readonly imported = new Map<HostId, TargetId>();
  /** The target that each host last joined with. */
  readonly served = new Map<HostId, TargetId>();
  /** What it came to by a person's rollout that succeeded. */
  target: TargetId | null = null;
  /** The rollout that runs, or the last one that did; and the one that waits for it. */
  rollout: RolloutEvidence | null = null;
  queued: RolloutEvidence | null = null;
  /** The newest rollout of a person that has come to its turn. */
  newestWish: RolloutEvidence | null = null;
  /** The newest rollout that had each host in its plan. */
  readonly newestWith = new Map<HostId, RolloutEvidence>();
  /** Hosts that a rollout gave up, or could not command, and that have not been listed since. */
  readonly leftOut = new Set<HostId>();
  readonly #hosts: ReadonlyMap<HostId, HostEvidence>;

  constructor({ spec, specRevision }: BodyOf<"service-declared">, hosts: ReadonlyMap<HostId, HostEvidence>) {
    this.name = spec.name;
    this.spec = spec;
    this.specRevision = specRevision;
    this.#hosts = hosts;
  }

  instance(hostId: HostId): InstanceEvidence | null {
    return this.#hosts.get(hostId)?.of(this.name) ?? null;
  }

  hold(hostId: HostId): HostEvidence["hold"] {
    return this.#hosts.get(hostId)?.hold ?? null;
  }

  edge(edgeId: HostId): EdgeEvidence {
    const known = this.edges.get(edgeId) ?? new EdgeEvidence(edgeId);
    this.edges.set(edgeId, known);
    return known;
  }

  /** How many hosts capacity is counted over: those that have served, less the removed. */
  get base(): number {
    return [...this.served.keys()].filter((hostId) => this.hold(hostId) !== "removed").length;
  }

  /** Edges count from when they first serve what is wanted on; before any has confirmed, all do. */
  countedEdges(): readonly HostId[] {
    const all = [...this.edges.values()].filter((edge) => !edge.isExcluded);
    const counted = all.filter((edge) => edge.countedSince !== null);
    return (counted.length > 0 ? counted : all).map(({ edgeId }) => edgeId);
  }

  /** Whether a list was decided on when the edge's word was needed for it. */
  countedFor(edgeId: HostId, revision: number): boolean {
    const since = this.edges.get(edgeId)?.countedSince ?? null;
    return since === null ? this.countedEdges().includes(edgeId) : since < revision;
  }

  isListed(hostId: HostId): boolean {
    return this.wanted.members.some((member) => member.hostId === hostId);
  }

  /** Lists that were said after a revision: an edge that serves that one may come to serve these. */
  listsAfter(revision: number): readonly (readonly Member[])[] {
    return [...this.lists].filter(([said]) => said > revision).map(([, members]) => members);
  }

  /** Well for its agent, and some counted edge has not said that it sees it: rule 2 keeps it out. */
  isUnseen(hostId: HostId): boolean {
    const command = this.instance(hostId)?.command;
    if (command?.body.kind !== "verify") return false;
    const { attempt } = command.body;
    const seenBy = (edgeId: HostId) =>
      this.edges
        .get(edgeId)
        ?.probes.some(
          (probe) => probe.hostId === hostId && probe.attempt === attempt && probe.state === "good",
        );
    return this.countedEdges().some((edgeId) => !seenBy(edgeId));
  }

  probesOf(hostId: HostId): readonly ProbeReport[] {
    return [...this.edges.values()].flatMap((edge) => edge.probes.filter((probe) => probe.hostId === hostId));
  }

  revised(sequence: number, { content, together = [] }: BodyOf<"upstream-revised">): void {
    for (const { hostId } of content.members) {
      // One that stays listed for a moment longer is not back.
      if (!this.isListed(hostId)) this.leftOut.delete(hostId);
    }
    if (this.isSaidAnew(content.members)) this.restated.add(sequence);
    this.#observed = null;
    this.wanted = { revision: sequence, members: content.members, together };
    this.lists.set(sequence, content.members);
  }

  /** An edge has a newer list than a restored ledger. */
  observed({ members }: BodyOf<"upstream-observed">): void {
    this.#observed = members;
    for (const { hostId, targetId } of members) this.imported.set(hostId, targetId);
  }

  /** A list that an edge has accepted before, and that the next revision hands to the others. */
  isSaidAnew(members: readonly Member[]): boolean {
    return this.#observed !== null && namesOnly(this.#observed, members);
  }

  /** A rollout is there: its turn has come, or it waits. */
  began(rollout: RolloutEvidence): void {
    if (rollout.status === "queued") {
      this.queued = rollout;
      return;
    }
    if (this.queued?.id === rollout.id) this.queued = null;
    this.rollout = rollout;
    this.planned(rollout);
    if (rollout.isMove) this.newestWish = rollout;
  }

  /** Its plan is there, the first or another one: that may name hosts which came later. */
  planned(rollout: RolloutEvidence): void {
    for (const hostId of rollout.goals.keys()) this.newestWith.set(hostId, rollout);
  }

  finished(rollout: RolloutEvidence): void {
    if (this.queued?.id === rollout.id) this.queued = null;
    if (rollout.status !== "succeeded" || !rollout.isMove) return;
    this.target = rollout.to;
    // One that the backup knew had moved its hosts before: what they came to since is not its doing.
    if (!rollout.isFromBackup) this.imported.clear();
  }
}

function namesOnly(observed: readonly Member[], members: readonly Member[]): boolean {
  return members.every(({ hostId, targetId, address }) =>
    observed.some((each) => each.hostId === hostId && each.targetId === targetId && each.address === address),
  );
}
