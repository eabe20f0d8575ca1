import type { Member, UpstreamContent, Watched } from "@siding/shared/command";
import type { HookName } from "@siding/shared/hooks";
import type {
  Address,
  CommandId,
  Digest,
  HostId,
  Incarnation,
  Labels,
  TargetId,
  UpstreamName,
} from "@siding/shared/ids";
import type { InstanceReport, Inventory, Role, StepFailure, UpstreamReport } from "@siding/shared/report";
import type { OpId } from "./effect.ts";
import type { PeerCount, ProbeAnswer, ProcessExit, ServedRevision } from "./event.ts";
import type { ControlPlaneSeen, InstanceJournal, ProcessRef, UpstreamJournal } from "./journal.ts";
import type { WideMap } from "./wide-map.ts";

/** What an agent is, from its config and its machine. Only the inventory comes later, once. */
export interface AgentIdentity {
  readonly hostId: HostId;
  readonly address: Address;
  readonly labels: Labels;
  readonly roles: readonly Role[];
  readonly agentVersion: string;
  readonly hostname: string;
  /** Local addresses of this edge's probe and proxy sockets; empty without the edge role. */
  readonly edgeAddresses: readonly Address[];
  readonly beatIntervalMs: number;
  readonly inventory: Inventory | null;
}

/**
 * Everything that an agent knows. Durable parts are named `journal`; the rest ends with the process. Instants are
 * milliseconds of the monotonic clock of this boot.
 */
export interface MachineState {
  readonly agent: AgentIdentity;
  readonly incarnation: Incarnation;
  /** Whose clock the times in the journal are on. */
  readonly bootId: string;
  readonly controlPlane: ControlPlaneSeen | null;
  readonly readiness: Readiness;
  readonly link: Link;
  /** By `service/slot`. */
  readonly instances: ReadonlyMap<string, Instance>;
  readonly upstreams: ReadonlyMap<UpstreamName, Upstream>;
  readonly edge: EdgeCondition;
  readonly said: Said;
}

/** Until the agent knows what already runs and is served, it takes no commands and says nothing. */
type Readiness =
  | { readonly kind: "waiting"; readonly forProcesses: boolean; readonly forEdge: boolean }
  | { readonly kind: "ready" };

type Link = { readonly kind: "down" } | { readonly kind: "up"; readonly nextBeatAtMs: number };

/** What was reported last, which is what the control plane knows. */
export interface Said {
  readonly sequence: number;
  readonly instances: ReadonlyMap<string, InstanceReport>;
  readonly upstreams: ReadonlyMap<string, UpstreamReport>;
}

/** One service in one slot of this host. */
export interface Instance {
  readonly journal: InstanceJournal;
  readonly process: ProcessState;
  readonly probing: Probing;
  readonly health: "unknown" | "good" | "bad";
  readonly staging: Staging;
  readonly drain: DrainCount;
  readonly hooking: Hooking;
  readonly supervision: Supervision;
  /** When the numbers of a drain were last reported: they alone are said at most once a second. */
  readonly countsSaidAtMs: number | null;
  /** Counts the effects asked for this instance, so that each has a name of its own. */
  readonly ops: number;
}

type ProcessState =
  | { readonly kind: "absent"; readonly exit: (ProcessExit & { readonly startId: number }) | null }
  | {
      readonly kind: "starting";
      readonly op: OpId;
      readonly startId: number;
      readonly targetId: TargetId;
      readonly sinceMs: number;
    }
  | ({ readonly kind: "running"; readonly sinceMs: number } & Running)
  | ({ readonly kind: "stopping"; readonly op: OpId; readonly sinceMs: number } & Running);

export interface Running {
  readonly startId: number;
  readonly targetId: TargetId;
  readonly process: ProcessRef;
}

/** Good and bad answers of one address in a row, and when it is asked next. */
export interface Probing {
  /** Since when these are counted: the grace runs from here. */
  readonly sinceMs: number;
  readonly goodRun: number;
  readonly badRun: number;
  readonly everGood: boolean;
  /** When the run of good answers reached `rise`; null while it has not. */
  readonly healthySinceMs: number | null;
  readonly lastAnswer: ProbeAnswer | null;
  readonly next: ProbeTurn;
}

type ProbeTurn =
  | { readonly kind: "due"; readonly atMs: number }
  | { readonly kind: "asked"; readonly op: OpId };

export type Staging =
  | { readonly kind: "idle" }
  | ({ readonly kind: "asked"; readonly op: OpId } & StagingTries)
  | ({ readonly kind: "retry"; readonly atMs: number; readonly message: string } & StagingTries);

export interface StagingTries {
  readonly digest: string;
  readonly tries: number;
  /** Those of the tries that count against the few that there are. */
  readonly failures: number;
}

/** `cancelled`: no command wants it any more; nothing else is begun before it has ended. */
type Hooking =
  | { readonly kind: "idle" }
  | {
      readonly kind: "running";
      readonly op: OpId;
      readonly hook: HookName;
      readonly commandId: CommandId;
      /** Of a one-shot: its name. */
      readonly shot: string | null;
      readonly cancelled: boolean;
    };

/** What is still connected while an instance drains. */
export interface DrainCount {
  readonly next: ProbeTurn;
  /** Polls in a row that saw nothing that holds the drain. */
  readonly zeroRun: number;
  /** The newest count; null while there is none. */
  readonly peers: readonly PeerCount[] | null;
  /** Why the newest poll counted nothing. */
  readonly trouble: string | null;
}

/** When a process that ended by itself is started again. */
export interface Supervision {
  /** The agent has just started: what it finds missing ended with the machine or with it, not by itself. */
  readonly recovering: boolean;
  readonly restarts: number;
  readonly notBeforeMs: number;
  readonly startFailure: StepFailure | null;
}

/** One upstream of this edge. */
export interface Upstream {
  readonly journal: UpstreamJournal;
  readonly served: ServedRevision | null;
  readonly attempt: ApplyAttempt;
  /** The control plane has spoken of it since this agent started. */
  readonly heard: boolean;
  /** Why the newest accepted revision is not served: nginx says no to it, or it is in trouble and tried again. */
  readonly complaint: {
    readonly kind: "refused" | "trouble";
    readonly said: { readonly revision: number; readonly message: string };
  } | null;
  /** When the newest accepted revision is overdue: it is still tried then, and that is said. */
  readonly overdueAtMs: number | null;
  /** By `hostId/slot`. */
  readonly watched: ReadonlyMap<string, WatchedState>;
  /** The members of the newest accepted revision, by `hostId/slot`. */
  readonly listed: WideMap<ListedState>;
  /** When nginx was last given another set of ejected members; null where it never was. */
  readonly ejectedAtMs: number | null;
  /** A revision that is to be tested, and served only when it is committed. */
  readonly candidate: Candidate | null;
  readonly ops: number;
}

export interface Candidate {
  readonly revision: number;
  readonly digest: Digest;
  readonly content: UpstreamContent;
  readonly stage:
    | { readonly kind: "due"; readonly atMs: number; readonly tries: number }
    | { readonly kind: "asked"; readonly op: OpId; readonly tries: number }
    | { readonly kind: "prepared" };
}

type ApplyAttempt =
  | { readonly kind: "due"; readonly atMs: number; readonly tries: number }
  | { readonly kind: "asked"; readonly op: OpId; readonly revision: number; readonly tries: number }
  | { readonly kind: "settled" };

export interface WatchedState {
  readonly watched: Watched;
  readonly probing: Probing;
  readonly state: "pending" | "good" | "bad";
}

/** One member, as this edge's own probes see it. */
export interface ListedState {
  readonly member: Member;
  readonly goodRun: number;
  readonly badRun: number;
  readonly next: ProbeTurn;
  readonly standing: Standing;
}

/**
 * `held`: good again, and not yet believed, since it has failed before. `falls` counts how often it has, lately;
 * `detail` is the answer by which it failed.
 */
export type Standing =
  | { readonly kind: "well"; readonly sinceMs: number; readonly falls: number }
  | { readonly kind: "failing"; readonly falls: number; readonly detail: string }
  | { readonly kind: "held"; readonly falls: number; readonly detail: string; readonly untilMs: number };

/**
 * The inner nginx, as far as applying depends on it. `absent` without the edge role. `cold`: none runs, so nobody is
 * served; before one is started, the control plane may say what is current, until `untilMs`.
 */
export type EdgeCondition =
  | { readonly kind: "absent" }
  | { readonly kind: "trying"; readonly deed: EdgeDeed; readonly op: OpId; readonly tries: number }
  | { readonly kind: "cold"; readonly untilMs: number }
  | { readonly kind: "up"; readonly tries: number; readonly sinceMs: number }
  | {
      readonly kind: "broken";
      readonly again: EdgeDeed;
      readonly atMs: number;
      readonly tries: number;
      readonly message: string;
    };

/** `find` takes over what runs, `start` also starts what does not, `recover` replaces a master that has died. */
export type EdgeDeed = "find" | "start" | "recover";
