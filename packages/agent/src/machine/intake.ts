import type { ApplyRevision, Command, InstanceCommand } from "@siding/shared/command";
import type { CommandId, UpstreamName } from "@siding/shared/ids";
import type { RefusalCode } from "@siding/shared/report";
import { upstreamDigest } from "@siding/shared/upstream-digest";
import { beginPrepare, discard } from "./candidate.ts";
import { coldMessage } from "./cold-start.ts";
import { beginDrain } from "./drain.ts";
import { withUpstream } from "./edge.ts";
import { beginShot } from "./hook.ts";
import { newInstance } from "./instance.ts";
import type { AcceptedCommand } from "./journal.ts";
import { instanceRefKey, withJournal } from "./move.ts";
import type { EdgeCondition, Instance, MachineState, Upstream } from "./state.ts";
import { beginRestart, beginUpdate } from "./update.ts";
import { acceptRevision, sayEdgeTrouble } from "./upstream.ts";
import { beginRejoin, beginVerify } from "./verify.ts";

/** A command that is not accepted, and why. */
export interface Refusal {
  readonly commandId: CommandId;
  readonly code: RefusalCode;
  readonly message: string;
}

/** What is reported besides what has changed. */
export type Say =
  | { readonly kind: "changes" }
  | { readonly kind: "instance"; readonly key: string }
  | { readonly kind: "upstream"; readonly name: UpstreamName }
  | { readonly kind: "everything" }
  /** Everything, and a first beat: a connection begins. */
  | { readonly kind: "hello" };

export interface Taken {
  readonly state: MachineState;
  readonly refusal: Refusal | null;
  readonly say: Say;
}

/** Takes a command in or refuses it. Handling one twice is handling it once and answering twice. */
export function takeCommand(state: MachineState, command: Command, nowMs: number): Taken {
  const wrong = wrongAddressee(state, command);
  if (wrong !== null) return refused(state, command, wrong.code, wrong.message);
  const stale = staleControlPlane(state, command);
  // With everything: a control plane that was restored from a backup learns here how far the fleet is.
  if (stale !== null) return refused(state, command, stale.code, stale.message, { kind: "everything" });
  const { epoch, controlPlaneId } = command;
  const adopted =
    state.controlPlane?.epoch === epoch ? state : { ...state, controlPlane: { epoch, controlPlaneId } };
  if (command.kind === "sync") return { state: adopted, refusal: null, say: { kind: "hello" } };
  if (command.incarnation !== state.incarnation) {
    const message = `this agent is incarnation ${state.incarnation}; the command is for ${command.incarnation}`;
    return refused(adopted, command, "stale-incarnation", message, { kind: "everything" });
  }
  return command.kind === "apply-revision"
    ? takeRevision(adopted, command, nowMs)
    : takeInstanceCommand(adopted, command, nowMs);
}

function wrongAddressee({ agent }: MachineState, command: Command) {
  if (command.hostId !== agent.hostId) {
    return { code: "wrong-host", message: `this is ${agent.hostId}, not ${command.hostId}` } as const;
  }
  if (command.kind === "sync") return null;
  const role = command.kind === "apply-revision" ? "edge" : "host";
  if (agent.roles.includes(role)) return null;
  return { code: "wrong-role", message: `${agent.hostId} does not have the role ${role}` } as const;
}

function staleControlPlane({ controlPlane }: MachineState, { epoch, controlPlaneId }: Command) {
  if (controlPlane === null || epoch > controlPlane.epoch) return null;
  if (epoch < controlPlane.epoch) {
    return { code: "stale-epoch", message: `epoch ${epoch}; ${controlPlane.epoch} was seen` } as const;
  }
  if (controlPlaneId === controlPlane.controlPlaneId) return null;
  const message = `epoch ${epoch} belongs to control plane ${controlPlane.controlPlaneId}, not ${controlPlaneId}`;
  return { code: "foreign-control-plane", message } as const;
}

function takeInstanceCommand(state: MachineState, command: InstanceCommand, nowMs: number): Taken {
  const key = instanceRefKey(command);
  const known = state.instances.get(key) ?? newInstance(command.service, command.slot, nowMs);
  const say = { kind: "instance", key } as const;
  const before = known.journal.command;
  if (before !== null && command.revision <= before.revision) {
    const again = command.revision === before.revision && command.commandId === before.commandId;
    if (again) return { state, refusal: null, say };
    const message = `revision ${command.revision}; ${before.revision} was accepted for ${key}`;
    return refused(state, command, "stale-revision", message, say);
  }
  const instance = begin(noted(known, command, nowMs), command, nowMs);
  return { state: { ...state, instances: new Map(state.instances).set(key, instance) }, refusal: null, say };
}

/** The newest command is the one in hand; what the last one began comes to a safe end by itself. */
function noted(instance: Instance, command: InstanceCommand, nowMs: number): Instance {
  const { commandId, revision, deadlineMs } = command;
  const accepted: AcceptedCommand = {
    commandId,
    revision,
    body: bodyOf(command),
    deadlineMs,
    acceptedAtMs: nowMs,
    recounted: false,
    begunAtMs: null,
    hooks: [],
    outcome: { kind: "running" },
    timings: {},
  };
  return withJournal(instance, { command: accepted });
}

function begin(instance: Instance, command: InstanceCommand, nowMs: number): Instance {
  switch (command.kind) {
    case "stage":
      return instance;
    case "drain":
      return beginDrain(instance, nowMs);
    case "update":
    case "revert":
      return beginUpdate(instance, command.target);
    case "restart":
      return beginRestart(instance, command.target, command.shot);
    case "verify":
      return beginVerify(instance, command.target, nowMs);
    case "rejoin":
      return beginRejoin(instance, command.target);
    case "hook":
      return beginShot(instance, command, nowMs);
  }
}

function bodyOf(command: InstanceCommand): AcceptedCommand["body"] {
  const { kind, target } = command;
  switch (kind) {
    case "drain":
      return { kind, target, edges: command.edges };
    case "hook":
      return { kind, target, hook: command.hook, shot: command.shot };
    case "verify":
      return { kind, target, holdMs: command.holdMs, attempt: command.attempt };
    case "restart":
      return { kind, target, shot: command.shot };
    case "stage":
    case "update":
    case "rejoin":
    case "revert":
      return { kind, target };
  }
}

function takeRevision(state: MachineState, command: ApplyRevision, nowMs: number): Taken {
  const name = command.content.upstream;
  const known = state.upstreams.get(name);
  const say = { kind: "upstream", name } as const;
  if (upstreamDigest(command.content) !== command.digest) {
    return refused(
      state,
      command,
      "digest-mismatch",
      `the content of ${name} does not have the digest it came with`,
    );
  }
  if (known !== undefined && command.revision <= known.journal.revision) {
    return takeAgain(state, command, known);
  }
  const accepted = taken(known, command, nowMs);
  if (accepted === undefined) return { state, refusal: null, say };
  // Why it is not served at once is known already.
  const why = troubleOf(state.edge);
  const next = why === null ? accepted : sayEdgeTrouble(accepted, why);
  return { state: withUpstream(state, name, { ...next, heard: true }), refusal: null, say };
}

/** Why this edge serves nothing that is new; null where it does, or is about to. */
function troubleOf(edge: EdgeCondition): string | null {
  if (edge.kind === "broken") return edge.message;
  return edge.kind === "cold" ? coldMessage : null;
}

/** Undefined where nothing is known of the upstream and nothing is to be. */
function taken(known: Upstream | undefined, command: ApplyRevision, nowMs: number): Upstream | undefined {
  switch (command.step) {
    case "commit":
      return acceptRevision(known, command, nowMs);
    case "prepare":
      // An upstream that this edge has never served has nothing to go on with: there is no swap for it to wait for.
      return known === undefined ? undefined : beginPrepare(known, command, nowMs);
    case "discard":
      return known && discard(known, command.revision);
  }
}

function takeAgain(state: MachineState, command: ApplyRevision, known: Upstream): Taken {
  const { upstream: name, revision, digest } = known.journal;
  const say = { kind: "upstream", name } as const;
  if (command.revision < revision) {
    const message = `revision ${command.revision}; ${revision} was accepted for ${name}`;
    return refused(state, command, "stale-revision", message, say);
  }
  if (command.digest === digest) {
    const heard = known.heard ? state : withUpstream(state, name, { ...known, heard: true });
    return { state: heard, refusal: null, say };
  }
  return refused(
    state,
    command,
    "digest-mismatch",
    `revision ${revision} of ${name} was accepted with another content`,
  );
}

function refused(
  state: MachineState,
  { commandId }: Command,
  code: RefusalCode,
  message: string,
  say: Say = { kind: "changes" },
): Taken {
  return { state, refusal: { commandId, code, message }, say };
}
