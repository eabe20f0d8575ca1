import { h } from "./dom.js";
import { buttons, capital, facts, failures, statusPill } from "./view-rollout.js";
import { counted, duration, title } from "./words.js";

/** @import { RolloutDocument } from "@siding/shared/rest" */

/**
 * Rollouts that have ended, each with its explanation; what there is to know besides on demand.
 *
 * @param {readonly RolloutDocument[]} rollouts
 * @param {number} nowMs
 */
export function recentRollouts(rollouts, nowMs) {
  const newest = new Set(rollouts.map(({ service }) => service));
  return h(
    "section",
    { class: "card", "data-key": "recent", "aria-labelledby": "recent-title" },
    h("h2", { id: "recent-title" }, "Recent rollouts"),
    rollouts.length === 0
      ? h("p", { class: "hint" }, "None has ended yet.")
      : h(
          "ul",
          { class: "recent" },
          // Only the newest of a service can be turned back by one press: what came later would be undone as well.
          rollouts.map((rollout) => recent(rollout, nowMs, newest.delete(rollout.service))),
        ),
  );
}

/**
 * @param {RolloutDocument} rollout
 * @param {number} nowMs
 * @param {boolean} isNewest
 */
function recent(rollout, nowMs, isNewest) {
  const { id, status, createdAt, finishedAt, explanation, hosts, story } = rollout;
  const tookMs = finishedAt ? Date.parse(finishedAt) - Date.parse(createdAt) : 0;
  return h(
    "li",
    { "data-key": id, "data-rollout": id, "data-status": status },
    h(
      "details",
      {},
      h(
        "summary",
        {},
        statusPill(status),
        h("b", {}, title(rollout)),
        h(
          "span",
          { class: "hint" },
          `${counted(hosts.length, "host")} in ${duration(tookMs)}, ${when(finishedAt, nowMs)}`,
        ),
      ),
      h("p", {}, capital(story.doing) || explanation),
      failures(rollout),
      facts(rollout),
      isNewest && buttons(rollout),
    ),
  );
}

/**
 * @param {string | undefined} at
 * @param {number} nowMs
 */
function when(at, nowMs) {
  if (!at) return "";
  const ageMs = nowMs - Date.parse(at);
  return ageMs < 60_000 ? "just now" : `${duration(Math.floor(ageMs / 60_000) * 60_000)} ago`;
}
