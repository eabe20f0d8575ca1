import type { InstanceCommandKind, Member, UpstreamContent } from "@siding/shared/command";
import type { HookName } from "@siding/shared/hooks";
import type {
  Address,
  CommandId,
  HostId,
  Incarnation,
  Labels,
  RolloutId,
  ServiceName,
  Slot,
  TargetId,
  UpstreamName,
} from "@siding/shared/ids";
import type { EjectedReport, ProbeReport, StepFailure } from "@siding/shared/report";
import type { ServiceSpec } from "@siding/shared/spec";
import type { Target } from "@siding/shared/target";
import { entryOf, isNamedIn } from "./by-host.ts";

/**
 * A consistent view of one service's part of the fleet at one instant: all that the pure core ever sees.
 * Built by fleet/snapshot.ts; instants are on the ledger's clock (elapsed milliseconds, persisted with commits).
 */
export interface Snapshot {
  readonly service: ServiceName;
  readonly spec: ServiceSpec;
  /** Matched hosts that run the service, in the order of their ids. */
  readonly hosts: readonly HostView[];
  /** Matched edges, in the order of their ids. */
  readonly edges: readonly EdgeView[];
  /** Matched edges that a person goes on without. */
  readonly excluded: readonly HostId[];
  readonly upstream: UpstreamView;
  /** Why nobody's silence means anything at present; null where we hear (design, "Blindness"). */
  readonly blind: Blindness | null;
  /** Since when we hear: the deadlines of those who owe us a report run anew from here. */
  readonly hearingSinceMs: number;
}

/** We have no connection to NATS; or so many agents fell silent together that it must be our own. */
export type Blindness = "disconnected" | "crowd-silent";

/** `unknown` until a beat has come since our own start; silence is not death. */
export interface LivenessView {
  readonly kind: "unknown" | "alive" | "silent";
  /** The newest beat, or our own connection: silent or unknown since then. */
  readonly heardMs: number;
  /** Silent after this, if nothing more is heard. */
  readonly lostMs: number;
  /** Silent until then, it is silent by itself: whoever was cut off together with it would be known as silent too. */
  readonly givenUpMs: number;
}

/** What an agent says of itself: its release, and the parts of a target that it knows. */
export interface AgentView {
  readonly version: string;
  readonly features: readonly string[];
}

/** Two living agents claim one id: nothing is sent to it, and its membership stays. */
export interface ConflictView {
  /** When the first of them came back after the other. */
  readonly sinceMs: number;
  readonly agents: readonly { readonly incarnation: Incarnation; readonly address: Address | null }[];
}

export interface HostView {
  readonly hostId: HostId;
  readonly liveness: LivenessView;
  /** It has answered this start of the control plane, so what the ledger says of it is no older than that. */
  readonly heard: boolean;
  /** Why its agent can do nothing but say so; null where it has said no such thing since its last beat. */
  readonly trouble: string | null;
  /** A person holds it out of traffic, or out of the fleet. */
  readonly hold: "drained" | "removed" | null;
  readonly conflict: ConflictView | null;
  /** Before, its agent may be a clone of the one that was heard last, which will be heard again. */
  readonly soleFromMs: number;
  /** From the agent's facts; null before its first report. */
  readonly address: Address | null;
  readonly labels: Labels;
  readonly agent: AgentView;
  /** Share of its processors that is busy, from 0 to 1; null where there is no fresh sample. */
  readonly load: number | null;
  readonly instance: InstanceView;
}

/** The instance of a host in its serving slot. */
export interface InstanceView {
  readonly slot: Slot;
  /** Ledger fact: the target that it last joined with; null when it never served. */
  readonly target: Target | null;
  /** Reported: whose process runs. */
  readonly running: TargetId | null;
  readonly staged: readonly TargetId[];
  readonly health: "unknown" | "good" | "bad";
  readonly trouble: StepFailure | null;
  /** Ledger fact: drained since it was last listed. */
  readonly drained: boolean;
  /** The newest command to it. */
  readonly command: CommandView | null;
}

export interface CommandView {
  readonly commandId: CommandId;
  readonly rolloutId: RolloutId;
  readonly kind: InstanceCommandKind;
  readonly targetId: TargetId;
  readonly revision: number;
  /** Of a verify: which start the edges watch with it; null for other commands. */
  readonly attempt: number | null;
  readonly issuedAtMs: number;
  readonly deadlineMs: number;
  /** `void`: another incarnation of the agent never heard of it, so it must be decided again. */
  readonly status: "issued" | "running" | "done" | "failed" | "void";
  /** When it became done, failed or void. */
  readonly settledAtMs: number | null;
  readonly failure: StepFailure | null;
  /** The hook that the agent runs for it at present. */
  readonly hook: RunningHook | null;
  readonly inFlight: { readonly count: number; readonly others: readonly Address[] } | null;
}

interface RunningHook {
  readonly name: HookName;
  readonly timeoutMs: number;
  /** When we were told that it runs. */
  readonly sinceMs: number;
}

export interface EdgeView {
  readonly hostId: HostId;
  readonly liveness: LivenessView;
  /** As of a host. */
  readonly heard: boolean;
  /** Not heard since this ledger was found to be older than its fleet: what it serves nobody knows. */
  readonly isFromBackup: boolean;
  readonly conflict: ConflictView | null;
  readonly agent: AgentView;
  /** Counts after its first confirmation; an uncounted edge holds nothing up. */
  readonly counted: boolean;
  /** The revision after which it began to count: whoever was out by then it may never have routed to. */
  readonly countedSince: number;
  /** The newest revision that it serves for certain, every older worker gone; 0 before the first. */
  readonly confirmed: number;
  /** The newest revision that it could not serve, with nginx's own words. */
  readonly refused: { readonly revision: number; readonly message: string } | null;
  /** Why the newest revision is not served yet, although the edge goes on trying. */
  readonly trouble: { readonly revision: number; readonly message: string } | null;
  readonly probes: readonly ProbeReport[];
  /** The revision that it has tested and not put into force; 0 where there is none. */
  readonly prepared: number;
  /** Listed by the ledger, and not routed to by this edge: its probes fail. */
  readonly ejected: readonly EjectedReport[];
  /** Local addresses of its sockets: peers with these hold a drain. */
  readonly addresses: readonly Address[];
}

/** What the ledger wants of an upstream, and what an edge may still serve. */
export interface UpstreamView {
  readonly name: UpstreamName;
  /** 0: nothing was ever said. */
  readonly revision: number;
  readonly revisedAtMs: number;
  readonly content: UpstreamContent;
  /** Lists by revision, oldest first, the newest included: as far back as some edge may still serve one. */
  readonly history: readonly MemberList[];
  /** The newest revision is one that several edges take together; null where it is not. */
  readonly swap: SwapView | null;
}

/** How far a revision is that several edges take together. */
interface SwapView {
  readonly edges: readonly HostId[];
  /** When all of them had prepared it, so that it was committed; null before. */
  readonly committedAtMs: number | null;
  /** When the first of them served it. */
  readonly firstServedAtMs: number | null;
}

interface MemberList {
  readonly revision: number;
  readonly members: readonly Member[];
}

export function hostIn(snapshot: Snapshot, hostId: HostId): HostView | undefined {
  return entryOf(snapshot.hosts, hostId);
}

/**
 * The edges whose confirmation is needed. Before any has confirmed for the first time all are, so that nothing counts
 * as served by nobody.
 */
export function countedEdges(snapshot: Snapshot): readonly EdgeView[] {
  const counted = snapshot.edges.filter((edge) => edge.counted);
  return counted.length > 0 ? counted : snapshot.edges;
}

/** Why there is no edge to work with, and what a person can do. */
export function whyNoEdge({ excluded, spec }: Snapshot): string {
  const [first] = excluded;
  const match = labelsText(spec.edge.match);
  if (first === undefined) return `no edge matches ${match}; start an agent with role edge and these labels`;
  const who = excluded.join(", ");
  return `every edge that matches ${match} is excluded: ${who}; count one again with POST /v1/edges/${first}/include`;
}

export function labelsText(match: Labels): string {
  return Object.entries(match)
    .map(([label, value]) => `${label}: ${value}`)
    .join(", ");
}

/** A person holds it and no list names it: whatever becomes of it concerns nobody. */
export function isSetAside({ upstream }: Snapshot, { hold, hostId }: HostView): boolean {
  return hold !== null && upstream.history.every(({ members }) => !isNamedIn(members, hostId));
}

type Lists = readonly (readonly Member[])[];

/** By what an edge has confirmed: every host in hand asks this of every edge. */
const listsSince = new WeakMap<UpstreamView, Map<number, Lists>>();

/** Every list that an edge may be serving, each once: the confirmed one and whatever was sent since. */
export function possibleLists({ upstream }: Snapshot, { confirmed }: EdgeView): Lists {
  const known = listsSince.get(upstream) ?? new Map<number, Lists>();
  listsSince.set(upstream, known);
  const lists = known.get(confirmed) ?? distinctLists(upstream, confirmed);
  known.set(confirmed, lists);
  return lists;
}

function distinctLists({ history }: UpstreamView, confirmed: number): Lists {
  return [...new Set(history.filter(({ revision }) => revision >= confirmed).map(({ members }) => members))];
}

/** False where the edge serves, or may serve, a list that this ledger never said: it was restored from a backup. */
export function isListKnown(snapshot: Snapshot, { confirmed, isFromBackup }: EdgeView): boolean {
  if (isFromBackup) return false;
  return confirmed === 0 || snapshot.upstream.history.some((list) => list.revision === confirmed);
}

/** We have just started, and it may yet tell us something that we do not know: a restored ledger is older than it. */
export function isYetToAnswer({ heard, liveness }: HostView | EdgeView): boolean {
  return !heard && liveness.kind === "unknown";
}

/** Not answered for good: the agent may be at it. */
export function isActive(command: CommandView): boolean {
  return command.status === "issued" || command.status === "running";
}
