// How things are said. No document here: these are functions of values, and tested as such.

/** @import { HostDocument, RolloutDocument } from "@siding/shared/rest" */

/** @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (ms > 0 && ms % 1_000 === 0 && ms < 60_000) return `${seconds} s`;
  if (ms < 950) return `${Math.max(0, Math.round(ms))} ms`;
  if (seconds < 60) return `${ms < 9_950 ? (ms / 1_000).toFixed(1) : seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min${seconds % 60 ? ` ${seconds % 60} s` : ""}`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
}

/**
 * For what is going on at present: nobody reads milliseconds that run.
 *
 * @param {number} ms
 */
export function floorSecond(ms) {
  return Math.max(1_000, Math.floor(ms / 1_000) * 1_000);
}

/** Beats come every ten seconds: to count their age by the second would be unrest without news. */
const freshMs = 20_000;

/**
 * @param {string | null} at RFC 3339
 * @param {number} nowMs
 */
export function ago(at, nowMs) {
  if (at === null) return "never";
  const ageMs = nowMs - Date.parse(at);
  if (ageMs < freshMs) return "just now";
  if (ageMs < 60_000) return `${Math.floor(ageMs / 10_000) * 10} s ago`;
  if (ageMs < 3_600_000) return `${Math.floor(ageMs / 60_000)} min ago`;
  if (ageMs < 86_400_000) return `${Math.floor(ageMs / 3_600_000)} h ago`;
  return `${Math.floor(ageMs / 86_400_000)} d ago`;
}

/** @param {number | null} share */
export function percent(share) {
  return share === null ? "–" : `${Math.round(share * 100)} %`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** What each state of an instance looks like: one of a few tones, so that a thousand stay calm. */
const tones = {
  serving: "good",
  pending: "idle",
  staging: "idle",
  staged: "idle",
  stopped: "idle",
  leaving: "leaving",
  draining: "leaving",
  updating: "busy",
  verifying: "busy",
  joining: "busy",
  failed: "bad",
  reverted: "back",
  out: "out",
  silent: "bad",
  cloned: "bad",
  unknown: "dim",
};

/**
 * @param {string} state
 * @returns {string}
 */
export function toneOf(state) {
  return Object.hasOwn(tones, state) ? tones[/** @type {keyof typeof tones} */ (state)] : "idle";
}

const statusTones = {
  succeeded: "good",
  running: "busy",
  pending: "busy",
  "rolling-back": "leaving",
  waiting: "leaving",
  paused: "leaving",
  failed: "bad",
  "rolled-back": "back",
  aborted: "back",
};

/**
 * @param {string} status
 * @returns {string}
 */
export function statusTone(status) {
  return Object.hasOwn(statusTones, status)
    ? statusTones[/** @type {keyof typeof statusTones} */ (status)]
    : "idle";
}

/** What a person can do to a rollout, and what it means. */
export const verbs = {
  pause: {
    label: "Pause",
    means: "The batch in hand is brought to its end; then nothing more happens until you resume.",
  },
  resume: { label: "Resume", means: "It goes on with the next step." },
  promote: { label: "Promote", means: "The gate that waits now is passed at once." },
  abort: {
    label: "Abort",
    means: "The batch in hand is given back, then it ends. Hosts that are through stay on the new version.",
  },
  rollback: { label: "Roll back", means: "Every host that was changed goes back to where it came from." },
};

/** @typedef {keyof typeof verbs} Verb */

/**
 * What a person is asked before it is done: by `label`, with a POST to `path`.
 *
 * @typedef {{ readonly label: string, readonly asked: string, readonly means: string, readonly path: string }} Question
 */

/**
 * @param {RolloutDocument} rollout
 * @param {Verb} verb
 * @returns {Question}
 */
export function questionOf(rollout, verb) {
  const { label, means } = verbs[verb];
  const isNew = rollout.finishedAt !== undefined;
  return {
    label,
    asked: `${label}: ${title(rollout)}?`,
    means: isNew
      ? "A new rollout brings every host that this one moved back to where it came from, by the same strategy."
      : means,
    path: `/v1/rollouts/${encodeURIComponent(rollout.id)}/${verb}`,
  };
}

/** @type {Question} */
export const resumeFleet = {
  label: "Go on with the fleet as it is",
  asked: "Go on with the fleet as it is?",
  means:
    "What serves now counts as right: hosts that were away are brought in again, and edges are told anew what they serve. Rollouts that are paused stay so.",
  path: "/v1/fleet/resume",
};

/**
 * The verbs that make sense at present, the likeliest first.
 *
 * @param {RolloutDocument} rollout
 * @returns {Verb[]}
 */
export function verbsFor(rollout) {
  switch (rollout.status) {
    case "paused":
      return ["resume", "rollback", "abort"];
    case "scheduled":
    case "queued":
    case "pending":
    case "running":
    case "waiting":
      return [...verbsUnderWay(rollout)];
    case "succeeded":
      return ["rollback"];
    case "rolling-back":
    case "rolled-back":
    case "failed":
    case "aborted":
      return [];
  }
}

/**
 * @param {RolloutDocument} rollout
 * @returns {Verb[]}
 */
function verbsUnderWay({ waiting, cause }) {
  const codes = waiting.map(({ code }) => code);
  if (codes.includes("pausing")) return ["resume", "rollback", "abort"];
  // On its way to an end already: it can only still be turned round.
  if (cause) return ["rollback"];
  return [
    ...(codes.includes("bake") ? /** @type {Verb[]} */ (["promote"]) : []),
    "pause",
    "rollback",
    "abort",
  ];
}

/**
 * @param {RolloutDocument} rollout
 */
export function title({ service, purpose, from, to, hosts }) {
  const named = hosts.map(({ hostId }) => hostId).join(", ");
  if (purpose === "restart") return `${service}: restart of ${counted(hosts.length, "host")}`;
  if (purpose === "take-out") return `${service}: ${named} leaves traffic`;
  if (purpose === "bring-in") return `${service}: ${named} comes in on ${to.version}`;
  const before = [...new Set(from.map(({ version }) => version))].filter((version) => version !== to.version);
  if (before.length > 0) return `${service}: ${before.join(", ")} → ${to.version}`;
  return from.length === 0
    ? `${service}: first deployment of ${to.version}`
    : `${service}: ${to.version}, changed config`;
}

/** @param {RolloutDocument["strategy"]} strategy */
export function strategyText({ kind, ...options }) {
  const words = Object.entries(options).map(([name, value]) => `${spaced(name)} ${String(value)}`);
  return [String(kind), ...words].join(", ");
}

/** @param {string} name `batchSize` */
function spaced(name) {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/**
 * Reasons of one kind are said once, with the hosts that share it.
 *
 * @param {RolloutDocument["waiting"]} waiting
 * @param {number} nowMs
 */
export function reasons(waiting, nowMs) {
  const kinds = new Map(waiting.map((reason) => [reason.code, reason]));
  return [...kinds].map(([code]) => {
    const same = waiting.filter((reason) => reason.code === code);
    const ends = same.flatMap(({ until }) => (until ? [Date.parse(until) - nowMs] : []));
    const leftMs = Math.max(...ends);
    return {
      code,
      text: same[0]?.message ?? code,
      more: same.reduce((before, { more = 0 }) => before + 1 + more, -1),
      left:
        ends.length > 0 && leftMs > 0 ? `at most ${duration(Math.ceil(leftMs / 1_000) * 1_000)} more` : "",
    };
  });
}

/** Before its turn a host serves as ever. */
const untouched = ["pending", "staging", "staged"];

/**
 * An instance in one word: its phase, unless that only says that its turn is still to come.
 *
 * @param {HostDocument["instances"][number]} instance
 */
export function stateOf({ state, listed }) {
  return listed && untouched.includes(state) ? "serving" : state;
}

const worstFirst = ["failed", "reverted", "out", "draining", "leaving", "updating", "verifying", "joining"];

/**
 * The worst that can be said of a host, in one word: what its cell shows.
 *
 * @param {HostDocument} host
 */
export function standing({ liveness, conflict, instances, roles }) {
  if (conflict) return "cloned";
  if (liveness === "silent") return "silent";
  const states = instances.map(stateOf);
  const worst = worstFirst.find((state) => states.includes(state));
  if (worst) return worst;
  if (liveness === "unknown") return "unknown";
  return (
    states.find((state) => state !== "serving") ?? states[0] ?? (roles.includes("edge") ? "edge" : "idle")
  );
}

/**
 * Where instances are to go, by `service/host`, as far as they are not there yet.
 *
 * @param {readonly RolloutDocument[]} rollouts
 * @returns {ReadonlyMap<string, string>}
 */
export function goalsOf(rollouts) {
  const forward = rollouts.filter(
    ({ finishedAt, status, purpose }) =>
      finishedAt === undefined && status !== "rolling-back" && purpose !== "take-out",
  );
  return new Map(
    forward.flatMap(({ service, to, hosts }) =>
      hosts
        .filter(({ phase, error }) => phase !== "serving" && !error)
        .map(({ hostId }) => /** @type {const} */ ([`${service}/${hostId}`, to.version])),
    ),
  );
}
