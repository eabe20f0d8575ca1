import { setTimeout as pause } from "node:timers/promises";
import type { RolloutId } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import type { Api } from "../fleet/api.ts";

/** Short beside a batch, long beside the time that an answer costs the control plane. */
const LOOK_EVERY_MS = 100;

/** More hosts in the same phase than this are counted instead of named. */
const NAMED_HOSTS = 4;

/** Follows a rollout to its end and says each change: when, which hosts are where, and what is waited for. */
export async function follow(api: Api, id: RolloutId, say: (line: string) => void): Promise<RolloutDocument> {
  const startedMs = performance.now();
  let said = "";
  for (;;) {
    const document = await api.readRollout(id);
    const line = stateLine(document);
    if (line !== said) say(`${seconds(performance.now() - startedMs)}  ${line}`);
    said = line;
    if (isFinished(document.status)) return document;
    await pause(LOOK_EVERY_MS);
  }
}

/** `h1 draining, 3 staged`, and what is waited for. */
export function stateLine(document: RolloutDocument): string {
  const byPhase = Map.groupBy(document.hosts, ({ phase }) => phase);
  const phases = [...byPhase].map(([phase, hosts]) => {
    const names =
      hosts.length > NAMED_HOSTS ? String(hosts.length) : hosts.map(({ hostId }) => hostId).join(" ");
    return `${names} ${phase}`;
  });
  const waiting = document.waiting.map(({ message }) => message);
  const what = waiting.length === 0 ? "" : `  (${waiting.join("; ")})`;
  return `${document.status}: ${phases.join(", ")}${what}`;
}

/** One line a batch: how long it took, what of that was Siding's own, and where the rest went. */
export function batchLines(document: RolloutDocument): string[] {
  return document.batches.map(({ index, hosts, wallMs, ownMs, parts }) => {
    const rest = Object.entries(parts).map(([part, ms]) => `${part.replace(/Ms$/, "")} ${milliseconds(ms)}`);
    const head = `batch ${index + 1} (${hosts.join(" ")}): ${milliseconds(wallMs)}`;
    return `${head}, own ${milliseconds(ownMs)}; ${rest.join(", ")}`;
  });
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2).padStart(7)} s`;
}

function milliseconds(ms: number | null): string {
  return ms === null ? "unknown" : `${Math.round(ms)} ms`;
}
