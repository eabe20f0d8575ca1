import type { InstanceReport, UpstreamReport } from "@siding/shared/report";
import { entryOf, withEntries } from "../rollout/by-host.ts";
import type { RolloutRecord, StartedBatch } from "../rollout/record.ts";
import type { OutsideEvent } from "./event.ts";
import { type HostRecord, instanceSlotKey, type LedgerState, type Touched } from "./state.ts";

type HostReported = Extract<OutsideEvent, { type: "host-reported" }>;

/**
 * Keeps what agents and edges measured of each part of a batch, for the arithmetic of own time (design section 12).
 * `before` is the host as it was known before this report.
 */
export function noteTimings(state: LedgerState, before: HostRecord, body: HostReported): readonly Touched[] {
  const touched = new Set<InstanceReport["service"]>();
  for (const report of body.instances) {
    if (noteInstance(state, body, report)) touched.add(report.service);
  }
  for (const report of body.upstreams) {
    const service = state.upstreams.get(report.upstream)?.service;
    if (service && noteEdge(state, service, before.upstreams[report.upstream], report)) touched.add(service);
  }
  return [...touched].flatMap((service) => {
    const id = state.services.get(service)?.activeRollout;
    return id ? [{ table: "rollouts" as const, key: id }] : [];
  });
}

function activeRollout(state: LedgerState, service: InstanceReport["service"]): RolloutRecord | undefined {
  const id = state.services.get(service)?.activeRollout;
  return id ? state.rollouts.get(id) : undefined;
}

function noteInstance(state: LedgerState, body: HostReported, report: InstanceReport): boolean {
  const rollout = activeRollout(state, report.service);
  const progress = rollout && entryOf(rollout.hosts, body.hostId);
  const key = instanceSlotKey(report.service, report.slot);
  const command = state.hosts.get(body.hostId)?.instances[key]?.command;
  const mine = command?.rolloutId === rollout?.id && command?.commandId === report.command?.commandId;
  if (!rollout || !progress || !report.command || !mine) return false;
  const timings = { ...progress.timings, ...report.command.timings };
  state.rollouts.set(rollout.id, {
    ...rollout,
    hosts: withEntries(rollout.hosts, [{ ...progress, timings }]),
  });
  return true;
}

/** A reload counts for every batch under way when an edge confirms it: the one coming in and the one leaving. */
function noteEdge(
  state: LedgerState,
  service: InstanceReport["service"],
  before: UpstreamReport | undefined,
  report: UpstreamReport,
): boolean {
  const rollout = activeRollout(state, service);
  const reloaded = report.serving !== null && report.generation > (before?.generation ?? 0);
  const verifyMs = Math.max(0, ...report.probes.map((probe) => probe.tookMs ?? 0));
  const isOpen = (batch: StartedBatch) => batch.finishedAtMs === null;
  if (!rollout?.batches.some(isOpen) || (!reloaded && verifyMs === 0)) return false;
  const revision = String(report.serving?.revision ?? 0);
  const withTimes = (batch: StartedBatch): StartedBatch => ({
    ...batch,
    edgeVerifyMs: Math.max(batch.edgeVerifyMs, verifyMs),
    turnoverMs: reloaded
      ? { ...batch.turnoverMs, [revision]: Math.max(batch.turnoverMs[revision] ?? 0, report.turnoverMs) }
      : batch.turnoverMs,
  });
  const batches = rollout.batches.map((batch) => (isOpen(batch) ? withTimes(batch) : batch));
  state.rollouts.set(rollout.id, { ...rollout, batches });
  return true;
}
