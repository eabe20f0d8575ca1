import { isGood } from "@siding/agent/machine/answer";
import type { Effect, HostEffect } from "@siding/agent/machine/effect";
import type { Event, ProbeAnswer } from "@siding/agent/machine/event";
import type { StepFailure } from "@siding/shared/report";
import { err, ok } from "@siding/shared/result";
import type { AgentLife } from "./agent-life.ts";
import type { Box, HookRun } from "./box.ts";
import { endsAfterMs } from "./conduct.ts";
import { answerOf, isWell, type ServiceProcess } from "./process.ts";

type Probe = Extract<Effect, { kind: "probe" }>;
type EffectOf<Kind extends HostEffect["kind"]> = Extract<HostEffect, { kind: Kind }>;

const lookMs = { least: 1, most: 30 };
const stageMs = { least: 20, most: 4_000 };
const countMs = { least: 1, most: 5 };
const spawnMs = { least: 5, most: 100 };
const probeMs = { least: 1, most: 12 };
const runMs = { least: 5, most: 60 };
/** What a service needs to end when nothing is in flight. */
const endMs = { least: 5, most: 600 };

/** The host role's effects, on a simulated machine, with seeded durations and failures. */
export function carryOutOnHost(box: Box, agent: AgentLife, effect: HostEffect | Probe): void {
  switch (effect.kind) {
    case "adopt":
      agent.answer(lookMs, () => adopted(box, effect));
      return;
    case "stage-release":
      agent.answer(stageMs, () => staged(box, effect));
      return;
    case "cancel-stage":
      return;
    case "prune-releases":
      prune(box, effect);
      return;
    case "count-connections":
      agent.answer(countMs, () => counted(box, effect));
      return;
    case "stop-process":
      stop(box, agent, effect);
      return;
    case "start-process":
      agent.answer(spawnMs, () => started(box, effect));
      return;
    case "run-hook":
      runHook(box, agent, effect);
      return;
    case "cancel-hook":
      cancelHook(box, agent, effect);
      return;
    case "probe":
      probe(box, agent, effect);
      return;
    case "run-check":
      agent.answer(runMs, () => checked(box, effect));
      return;
  }
}

function prune(box: Box, { keep }: EffectOf<"prune-releases">): void {
  const kept = new Set(keep.map((release) => release.digest));
  box.releases = box.releases.filter((release) => kept.has(release.digest));
}

function counted(box: Box, { op, service, slot }: EffectOf<"count-connections">): Event {
  const counts = box.around.traffic.connectionsOf(box.address, service);
  return { kind: "connections-counted", op, service, slot, result: ok(counts) };
}

function adopted(box: Box, { op }: EffectOf<"adopt">): Event {
  const processes = [...box.processes.values()].map(({ service, slot, targetId, startId, ref }) => {
    return { service, slot, targetId, startId, process: ref };
  });
  return { kind: "adopted", op, processes, releases: box.releases };
}

function staged(box: Box, { op, service, slot, target }: EffectOf<"stage-release">): Event {
  const { release } = target;
  const { weather, servesArtifacts } = box.around;
  const there = box.releases.some((each) => each.digest === release.digest);
  const trouble = weather.stagingTrouble(box.hostId);
  const retry = there ? null : (trouble ?? (servesArtifacts() ? null : "until-deadline"));
  if (retry !== null) {
    const failure = { code: "fetch-failed", message: "the artifact could not be fetched (simulated)" };
    return { kind: "staged", op, service, slot, result: err({ failure, retry }) };
  }
  const { version, digest } = release;
  if (!there) box.releases = [...box.releases, { service, version, digest }];
  return { kind: "staged", op, service, slot, result: ok(null) };
}

function started(box: Box, effect: EffectOf<"start-process">): Event {
  const { op, service, slot, port } = effect;
  const process = box.spawn(effect);
  if (!process) {
    const failure = { code: "port-in-use", message: `port ${port} is in use (simulated)` };
    return { kind: "process-started", op, service, slot, result: err(failure) };
  }
  const lifeMs = endsAfterMs(process.conduct);
  if (lifeMs !== null) {
    // Not before the answer to its start, which comes now.
    box.around.timeline.after(Math.max(1, lifeMs), () => box.endByItself(process));
  }
  return { kind: "process-started", op, service, slot, result: ok(process.ref) };
}

function stop(box: Box, agent: AgentLife, effect: EffectOf<"stop-process">): void {
  const { op, service, slot, graceMs } = effect;
  const stopped: Event = { kind: "process-stopped", op, service, slot, result: ok(null) };
  const process = box.processes.get(effect.process);
  if (!process) {
    agent.answer(countMs, () => stopped);
    return;
  }
  if (!process.stopping) box.terminate(process);
  const { timeline } = box.around;
  const naturalMs = naturalEndMs(box, process);
  timeline.after(naturalMs, () => box.ended(process));
  // Only a living agent says SIGKILL.
  timeline.after(Math.min(naturalMs, graceMs), () => {
    if (!agent.isAlive) return;
    box.ended(process);
    agent.happen(stopped);
  });
}

/** It ends when the last request that it works on has ended. */
function naturalEndMs(box: Box, { service }: ServiceProcess): number {
  const { traffic, timeline, random } = box.around;
  const busyUntilMs = Math.max(0, ...traffic.leftOn(box.address, service).map(({ untilMs }) => untilMs));
  return Math.max(random.spread(endMs.least, endMs.most), busyUntilMs - timeline.nowMs);
}

/** How it ends is drawn when it begins: most go well, some fail, and some would never end. */
function runHook(box: Box, agent: AgentLife, effect: EffectOf<"run-hook">): void {
  const { random, record } = box.around;
  const { hook, runId, service, target } = effect;
  const { timeoutMs = 0, idempotent = false } = target.spec.hooks[hook] ?? {};
  record({
    kind: "hook-begun",
    hostId: box.identity.hostId,
    hook,
    runId,
    isAlone: [...box.hooks.values()].every((run) => run.service !== service),
    idempotent,
  });
  box.trace(() => `begins hook ${hook} ${runId}`);
  box.hooks.set(effect.op, effect);
  const hangs = !box.isHealed && random.chance(0.04);
  const fails = !box.isHealed && random.chance(0.08);
  const takes = hangs ? { least: timeoutMs, most: timeoutMs } : { least: 5, most: timeoutMs / 2 };
  const failure = { code: hangs ? "hook-timeout" : "hook-failed", message: `hook ${hook} (simulated)` };
  agent.answer(takes, () => hookEnded(box, effect, hangs || fails ? failure : null));
}

function cancelHook(box: Box, agent: AgentLife, { op }: EffectOf<"cancel-hook">): void {
  const run = box.hooks.get(op);
  if (run === undefined) return;
  const failure = { code: "hook-cancelled", message: `hook ${run.hook} was ended (simulated)` };
  agent.answer(endMs, () => hookEnded(box, run, failure));
}

/** Whatever comes first, its end or that of who waits for it; null where it has ended already. */
function hookEnded(
  box: Box,
  { op, service, slot, hook }: HookRun,
  failure: StepFailure | null,
): Event | null {
  if (!box.hooks.delete(op)) return null;
  const result = failure === null ? ok(null) : err(failure);
  return { kind: "hook-ended", op, service, slot, hook, result };
}

/** A health command that looks at its own host's process and says by its exit code what it sees. */
function checked(box: Box, { op, service, slot }: EffectOf<"run-check">): Event {
  const { around, hostId } = box;
  const process = box.processOf(service);
  const good = process !== null && isWell(process, around.timeline.nowMs);
  around.record({ kind: "probed", by: hostId, hostId, process, good });
  const answer = { kind: "exit", code: good ? 0 : 1, signal: null, output: "" } as const;
  return { kind: "probed", op, owner: { kind: "instance", service, slot }, answer };
}

/** A clone asks itself; nobody else can, since the address is the other one's. */
function probe(box: Box, agent: AgentLife, effect: Probe): void {
  const { op, owner, address, port, question, timeoutMs } = effect;
  const { around } = box;
  const local = address === box.address;
  const asked = local ? box : around.boxAt(address);
  const cut = asked !== null && !local && !around.weather.hasPath(box.hostId, asked.hostId);
  const process = cut ? null : (asked?.listenerOn(port) ?? null);
  const heard = cut ? ({ kind: "timeout" } as const) : answerOf(process, local, around.timeline.nowMs);
  const answer = "tcp" in question ? connectionOf(process, heard) : heard;
  if (asked !== null) {
    const good = isGood(answer);
    around.record({ kind: "probed", by: box.hostId, hostId: asked.hostId, process, good });
  }
  const takes = answer.kind === "timeout" ? { least: timeoutMs, most: timeoutMs } : probeMs;
  agent.answer(takes, () => ({ kind: "probed", op, owner, answer }));
}

/** Whoever listens takes a connection, whatever it would answer. */
function connectionOf(process: ServiceProcess | null, heard: ProbeAnswer): ProbeAnswer {
  const listens = process !== null && heard.kind !== "refused";
  return listens && heard.kind === "status" ? { kind: "connected" } : heard;
}
