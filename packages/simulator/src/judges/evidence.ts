import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { Member } from "@siding/shared/command";
import type { HostId, TargetId } from "@siding/shared/ids";
import type { ProbeReport } from "@siding/shared/report";
import type { ServiceSpec } from "@siding/shared/spec";
import { EdgeEvidence, HostEvidence } from "./host-evidence.ts";
import { RolloutEvidence } from "./rollout-evidence.ts";

type Body = LedgerEvent["body"];
type BodyOf<Type extends Body["type"]> = Extract<Body, { type: Type }>;

function planOf(body: Body) {
  if (body.type === "rollout-created") return body.rollout.plan;
  return body.type === "rollout-planned" ? body.plan : null;
}

/**
 * What the log says, read by the judges' own eyes: a second, plain reading of the events, so that a mistake in the
 * production fold is not repeated here. It is up to date with every event before the one that is being judged.
 */
export class Evidence {
  spec: ServiceSpec | null = null;
  /** The list that the ledger wants, and every list by its revision. */
  wanted: { readonly revision: number; readonly members: readonly Member[] } = { revision: 0, members: [] };
  readonly lists = new Map<number, readonly Member[]>();
  readonly hosts = new Map<HostId, HostEvidence>();
  readonly edges = new Map<HostId, EdgeEvidence>();
  /** The target that each host last joined with: these are the hosts over which capacity is counted. */
  readonly served = new Map<HostId, TargetId>();
  rollout: RolloutEvidence | null = null;
  /** Hosts that a rollout gave up, or could not command, and that have not been listed since. */
  readonly leftOut = new Set<HostId>();

  take({ sequence, body, by }: LedgerEvent): void {
    if (body.type === "service-declared") this.spec = body.spec;
    if (body.type === "upstream-revised") this.#revised(sequence, body);
    if (body.type === "host-reported") this.#reported(sequence, body);
    if (body.type === "command-issued") this.host(body.hostId).issued(sequence, body);
    if (body.type === "rollout-created") this.rollout = new RolloutEvidence(body.rollout);
    if (body.type === "host-settled" && body.on) this.served.set(body.hostId, body.on.id);
    const plan = planOf(body);
    for (const hostId of plan?.absent ?? []) this.leftOut.add(hostId);
    if (body.type === "host-failed" && !body.back) this.leftOut.add(body.hostId);
    if (body.type === "host-settled" && !body.on) this.leftOut.add(body.hostId);
    if ("rolloutId" in body) this.rollout?.take(body, by);
  }

  host(hostId: HostId): HostEvidence {
    const known = this.hosts.get(hostId) ?? new HostEvidence();
    this.hosts.set(hostId, known);
    return known;
  }

  /** Edges count from when they first serve what is wanted on; before any has confirmed, all do. */
  countedEdges(): readonly HostId[] {
    const all = [...this.edges];
    const counted = all.filter(([, edge]) => edge.countedSince !== null);
    return (counted.length > 0 ? counted : all).map(([hostId]) => hostId);
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
    const { command } = this.host(hostId);
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

  #revised(sequence: number, { content }: BodyOf<"upstream-revised">): void {
    for (const { hostId } of content.members) {
      // One that stays listed for a moment longer is not back.
      if (!this.isListed(hostId)) this.leftOut.delete(hostId);
    }
    this.wanted = { revision: sequence, members: content.members };
    this.lists.set(sequence, content.members);
  }

  #reported(sequence: number, body: BodyOf<"host-reported">): void {
    this.host(body.hostId).reported(body);
    if (!body.facts.roles.includes("edge")) return;
    const edge = this.edges.get(body.hostId) ?? new EdgeEvidence();
    this.edges.set(body.hostId, edge);
    edge.reported(sequence, this.wanted.revision, body);
  }
}
