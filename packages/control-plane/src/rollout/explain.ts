import { isFinished } from "@siding/shared/phases";
import { formatMs } from "@siding/shared/units";
import { entryOf } from "./by-host.ts";
import type { RolloutRecord } from "./record.ts";

/** What a rollout is doing, why it waits and what happens next: a text for each, empty where there is nothing to say. */
export interface Story {
  readonly doing: string;
  readonly waits: string;
  readonly failures: string;
  readonly next: string;
}

/** The story of a rollout for a person. `nowMs` is the ledger's clock. */
export function storyOf(rollout: RolloutRecord, nowMs: number): Story {
  if (isFinished(rollout.status)) {
    return { doing: ending(rollout), waits: "", failures: failures(rollout), next: "" };
  }
  const [doing, waits] = [progress(rollout), waitsFor(rollout, nowMs)];
  return { doing, waits, failures: failures(rollout), next: next(rollout) };
}

/** The story in a few sentences. */
export function explain(rollout: RolloutRecord, nowMs: number): string {
  const { doing, waits, failures, next } = storyOf(rollout, nowMs);
  const now = waits === "" ? "" : `Now: ${waits}.`;
  const after = next === "" ? "" : `Next: ${next}`;
  return [headline(rollout), doing, now, failures, after].filter(Boolean).join(" ");
}

function headline(rollout: RolloutRecord): string {
  const { service, to, status, strategy, comment, hosts } = rollout;
  switch (rollout.purpose) {
    case "restart":
      return `restart of ${service} on ${names(hosts)} (${to.release.version}), ${status}.`;
    case "take-out":
      return `${service}: ${comment}; ${status}.`;
    case "bring-in":
      return `${service}: ${comment}, so it is brought in on ${to.release.version}; ${status}.`;
    case "rollout":
      return `${service}: ${movesOf(rollout)}, ${strategy.kind}, ${status}.`;
  }
}

const namedHosts = 5;

function names(hosts: RolloutRecord["hosts"]): string {
  const all = hosts.map(({ hostId }) => hostId);
  const more = all.length - namedHosts;
  return more > 0 ? `${all.slice(0, namedHosts).join(", ")} and ${more} more` : all.join(", ");
}

function movesOf({ to, hosts }: RolloutRecord): string {
  const from = [...new Set(hosts.flatMap((host) => host.from?.release.version ?? []))];
  return `${from.length > 0 ? `${from.join(", ")} -> ` : "first deployment of "}${to.release.version}`;
}

function progress({ hosts, plan, batches, to, purpose }: RolloutRecord): string {
  if (purpose === "take-out") return `${hosts.map(({ hostId }) => hostId).join(", ")} leaves traffic.`;
  const done = hosts.filter(({ course }) => course.kind === "settled" && course.on === to.id).length;
  const open = batches.findLast((batch) => batch.finishedAtMs === null);
  const absent =
    plan.absent.length > 0 ? ` ${plan.absent.join(", ")} can't be commanded and is left out.` : "";
  const count = `${done} of ${hosts.length} hosts ${purpose === "restart" ? "are restarted" : "serve it"}`;
  if (!open) return `${count}.${absent}`;
  const shrunk = open.hosts.length < open.planned ? ` (of ${open.planned}, shrunk to fit capacity)` : "";
  return `${count}; batch ${batches.length} is ${open.hosts.join(", ")}${shrunk}.${absent}`;
}

/** Says each kind of reason once, however many hosts share it. */
function waitsFor({ waiting }: RolloutRecord, nowMs: number): string {
  const kinds = [...new Set(waiting.map((reason) => reason.code))];
  const texts = kinds.map((code) => {
    const same = waiting.filter((reason) => reason.code === code);
    const others = same.length - 1 + sum(same.map((reason) => reason.more ?? 0));
    const more = others > 0 ? ` (and ${others} more)` : "";
    const { sinceMs } = same[0] ?? {};
    const been = sinceMs === undefined ? "" : `, for ${formatMs(nowMs - sinceMs)}`;
    const until = same.find((reason) => reason.untilMs !== undefined)?.untilMs;
    const left = until !== undefined && until > nowMs ? `, at most ${formatMs(until - nowMs)} more` : "";
    return `${same[0]?.message ?? code}${more}${been}${left}`;
  });
  return texts.join("; ");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((before, number) => before + number, 0);
}

/** Where failures are the cause of the end, that has named them already. */
function failures({ hosts, failed, maxFailures, cause }: RolloutRecord): string {
  if (failed.length === 0 || cause?.code === "too-many-failures") return "";
  const causes = failed.map((hostId) => {
    const course = entryOf(hosts, hostId)?.course;
    const failure = course && course.kind !== "planned" ? course.failure : null;
    return failure ? `${hostId}: ${failure.message}` : hostId;
  });
  return `Failed: ${causes.join("; ")} (${maxFailures} allowed).`;
}

function next(rollout: RolloutRecord): string {
  const { intent, plan, hosts } = rollout;
  if (intent === "pause") return "";
  if (plan.kind === "rollback") return "what was changed goes back to where it came from.";
  if (plan.kind === "return") return "the batch in hand is given back, then it ends.";
  const planned = plan.hosts.filter(({ hostId }) => entryOf(hosts, hostId)?.course.kind === "planned");
  if (rollout.purpose === "take-out") return "it ends when nothing is in flight there.";
  if (planned.length === 0) return "it ends when these serve.";
  const batches = plan.batches.filter((batch) =>
    batch.some((id) => planned.some(({ hostId }) => hostId === id)),
  );
  return `${count(planned.length, "host")} in ${count(batches.length, "batch")}.`;
}

function count(number: number, word: string): string {
  const plural = word.endsWith("h") ? `${word}es` : `${word}s`;
  return `${number} ${number === 1 ? word : plural}`;
}

function ending({ cause }: RolloutRecord): string {
  return cause ? `${cause.message.replace(/\.$/, "")}.` : "";
}
