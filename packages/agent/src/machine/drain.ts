import type { Address } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import { type DrainSpec, portOf } from "@siding/shared/target";
import { formatMs } from "@siding/shared/units";
import type { OpId } from "./effect.ts";
import type { PeerCount } from "./event.ts";
import { askAnew } from "./health.ts";
import { awaitHook } from "./hook.ts";
import { commandInHand, type Moment, type Move, nextOp, refOf, still, withCommand } from "./move.ts";
import { fail, succeed } from "./outcome.ts";
import { isDue } from "./probing.ts";
import { runningTarget } from "./process.ts";
import type { DrainCount, Instance } from "./state.ts";
import { stepFailure } from "./step-failure.ts";

/** Three polls in a row 20 ms apart see nothing: one alone can fall between two requests (facts.md, step 4). */
const zeroPolls = 3;
const pollMs = 20;
/** A drain that takes longer than this is not made shorter by asking often. */
const quickPollsForMs = 2_000;
const slowPollMs = 100;
const maxPeersNamed = 20;

/** A drain command, taken apart: begun when, what holds it, and for how long. */
interface Draining {
  readonly begunAtMs: number;
  readonly edges: readonly Address[];
  readonly spec: DrainSpec;
}

export function freshDrain(nowMs: number): DrainCount {
  return { next: { kind: "due", atMs: nowMs }, zeroRun: 0, peers: null, trouble: null };
}

/** Drain was accepted, or its counting begins. The agent's own probes stop, since they would be counted. */
export function beginDrain(instance: Instance, nowMs: number): Instance {
  const { health } = instance;
  return { ...askAnew(instance, nowMs), health, drain: freshDrain(nowMs), countsSaidAtMs: null };
}

export function carryOnDrain(instance: Instance, moment: Moment): Move {
  const command = commandInHand(instance);
  if (command?.body.kind !== "drain") return still(instance);
  if (command.begunAtMs !== null) return drainOn(instance, moment);
  const { nowMs } = moment;
  const begun = () => withCommand(beginDrain(instance, nowMs), { begunAtMs: nowMs });
  // Where nothing runs there is nothing to prepare for, and no hook that fails keeps a dead service from its repair.
  const isEmpty = instance.process.kind === "absent" && command.hooks.length === 0;
  const hook = isEmpty ? null : awaitHook(instance, "beforeDrain", moment);
  return hook ?? drainOn(begun(), moment);
}

function drainOn(instance: Instance, { nowMs }: Moment): Move {
  const draining = drainInHand(instance);
  if (draining === null) return still(instance);
  const timings = { drainMs: nowMs - draining.begunAtMs };
  const empty = instance.process.kind === "absent" || instance.drain.zeroRun >= zeroPolls;
  if (empty) return still(succeed(instance, timings));
  if (nowMs < deadlineAtMs(draining)) return poll(instance, nowMs);
  const proceed = draining.spec.onDeadline === "proceed";
  return still(proceed ? succeed(instance, timings) : fail(instance, stillHeld(instance, draining), timings));
}

function poll(instance: Instance, nowMs: number): Move {
  const { process, drain, journal } = instance;
  if (process.kind !== "running" || !isDue(drain.next, nowMs)) return still(instance);
  const target = runningTarget(instance) ?? journal.command?.body.target;
  const port = target ? portOf(target.spec.ports, journal.slot) : null;
  if (port === null) return still(succeed(instance));
  const { op, instance: counted } = nextOp(instance);
  return {
    instance: { ...counted, drain: { ...drain, next: { kind: "asked", op } } },
    effects: [{ kind: "count-connections", op, process: process.process, port, ...refOf(instance) }],
  };
}

export function connectionsCounted(
  instance: Instance,
  op: OpId,
  result: Result<readonly PeerCount[], StepFailure>,
  { nowMs }: Moment,
): Instance {
  const { drain } = instance;
  const draining = drainInHand(instance);
  if (draining === null || drain.next.kind !== "asked" || drain.next.op !== op) return instance;
  const counted = result.ok
    ? afterCount(drain, result.value, draining)
    : { ...drain, zeroRun: 0, trouble: result.error.message };
  const slow = counted.zeroRun === 0 && nowMs - draining.begunAtMs > quickPollsForMs;
  const atMs = nowMs + (slow ? slowPollMs : pollMs);
  return { ...instance, drain: { ...counted, next: { kind: "due", atMs } } };
}

function afterCount(drain: DrainCount, peers: readonly PeerCount[], draining: Draining): DrainCount {
  const held = peers.some((peer) => peer.count > 0 && holds(draining, peer));
  return { ...drain, peers, zeroRun: held ? 0 : drain.zeroRun + 1, trouble: null };
}

/** What is still connected, as reports say it; null while nothing was counted or for another command. */
export function inFlight(instance: Instance) {
  const { command } = instance.journal;
  const { peers } = instance.drain;
  if (command?.body.kind !== "drain" || peers === null) return null;
  const { edges } = command.body;
  const fromEdges = peers.filter((peer) => edges.includes(peer.address));
  const others = peers.filter((peer) => !edges.includes(peer.address)).map((peer) => peer.address);
  return { count: total(fromEdges), others: others.slice(0, maxPeersNamed) };
}

export function drainWakeAtMs(instance: Instance): number | null {
  const draining = drainInHand(instance);
  if (draining === null) return null;
  const { next } = instance.drain;
  const polled = next.kind === "due" && instance.process.kind === "running";
  return polled ? Math.min(deadlineAtMs(draining), next.atMs) : deadlineAtMs(draining);
}

function drainInHand(instance: Instance): Draining | null {
  const command = commandInHand(instance);
  if (command?.body.kind !== "drain" || command.begunAtMs === null) return null;
  const { edges, target } = command.body;
  return { begunAtMs: command.begunAtMs, edges, spec: target.spec.drain };
}

function holds({ spec, edges }: Draining, peer: PeerCount): boolean {
  return spec.others === "wait" || edges.includes(peer.address);
}

function deadlineAtMs(draining: Draining): number {
  return draining.begunAtMs + draining.spec.deadlineMs;
}

function stillHeld(instance: Instance, draining: Draining): StepFailure {
  const waited = formatMs(draining.spec.deadlineMs);
  const { peers, trouble } = instance.drain;
  if (peers === null) {
    const why = trouble ?? "none was counted";
    return stepFailure("drain-deadline", `connections could not be counted within ${waited}: ${why}`);
  }
  const holding = peers.filter((peer) => holds(draining, peer));
  const names = holding.slice(0, maxPeersNamed).map((peer) => `${peer.count} from ${peer.address}`);
  return stepFailure(
    "drain-deadline",
    `after ${waited} still connected: ${names.join(", ") || "nobody for certain"}`,
  );
}

function total(peers: readonly PeerCount[]): number {
  return peers.reduce((sum, peer) => sum + peer.count, 0);
}
