import { h } from "./dom.js";
import { batches } from "./view-batches.js";
import {
  counted,
  duration,
  floorSecond,
  reasons,
  standing,
  statusTone,
  strategyText,
  title,
  toneOf,
  verbs,
  verbsFor,
} from "./words.js";

/** @import { HostDocument, RolloutDocument } from "@siding/shared/rest" */

/** Failures that are told at length; of a hundred alike the first few say it all. */
const toldFailures = 5;

/**
 * A rollout that is under way: what it is doing, why it waits, what happens next.
 *
 * @param {RolloutDocument} rollout
 * @param {number} nowMs
 */
export function activeRollout(rollout, nowMs) {
  return h(
    "section",
    {
      class: "card rollout",
      "data-key": rollout.id,
      "data-rollout": rollout.id,
      "data-status": rollout.status,
    },
    h(
      "header",
      {},
      h("h2", {}, title(rollout)),
      statusPill(rollout.status),
      h("p", { class: "hint" }, origin(rollout, nowMs)),
    ),
    story(rollout, nowMs),
    progressBar(rollout),
    buttons(rollout),
    batches(rollout, nowMs),
    failures(rollout),
    facts(rollout),
  );
}

/** @param {string} status */
export function statusPill(status) {
  return h("span", { class: `pill tone-${statusTone(status)}` }, status);
}

/**
 * @param {RolloutDocument} rollout
 * @param {number} nowMs
 */
function origin({ createdAt, createdBy, comment }, nowMs) {
  const age = `started ${duration(floorSecond(nowMs - Date.parse(createdAt)))} ago by ${createdBy}`;
  return comment ? `${age}: “${comment}”` : age;
}

/**
 * @param {RolloutDocument} rollout
 * @param {number} nowMs
 */
function story({ story, waiting, cause }, nowMs) {
  const waits = reasons(waiting, nowMs).map(({ code, text, more, left }) =>
    h(
      "li",
      { "data-key": code, "data-reason": code },
      text,
      more > 0 && h("span", { class: "hint" }, ` and ${more} more`),
      left && h("span", { class: "hint" }, `, ${left}`),
    ),
  );
  // Where it is paused, the reason for waiting says why already.
  const untold = waiting.some(({ code }) => code === "paused" || code === "pausing") ? undefined : cause;
  return h(
    "dl",
    { class: "story" },
    h("dt", {}, "Doing"),
    h("dd", {}, story.doing || "Nothing yet."),
    h("dt", {}, "Waits for"),
    h("dd", {}, waits.length > 0 ? h("ul", {}, waits) : "Nothing."),
    h("dt", {}, "Next"),
    h("dd", {}, capital(story.next) || "What you say: resume, abort or roll back."),
    untold && h("dt", {}, "Because"),
    untold && h("dd", {}, capital(untold.message)),
  );
}

/** @param {string} text */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {RolloutDocument} rollout */
function progressBar({ hosts }) {
  const order = ["good", "busy", "leaving", "bad", "back", "out", "idle"];
  const count = (/** @type {string} */ tone) => hosts.filter(({ phase }) => toneOf(phase) === tone).length;
  const parts = order.map((tone) => ({ tone, hosts: count(tone) })).filter((part) => part.hosts > 0);
  const done = hosts.filter(({ phase }) => phase === "serving").length;
  return h(
    "div",
    {
      class: "bar",
      role: "progressbar",
      "aria-label": "Hosts that are through",
      "aria-valuemin": 0,
      "aria-valuemax": hosts.length,
      "aria-valuenow": done,
      "aria-valuetext": `${done} of ${hosts.length} hosts`,
    },
    parts.map((part) => h("i", { class: `tone-${part.tone}`, "data-grow": part.hosts })),
  );
}

/** @param {RolloutDocument} rollout */
export function buttons(rollout) {
  const offered = verbsFor(rollout);
  if (offered.length === 0) return null;
  return h(
    "div",
    { class: "buttons", role: "group", "aria-label": `Control the rollout of ${rollout.service}` },
    offered.map((verb, index) =>
      h(
        "button",
        { type: "button", class: index === 0 ? "primary" : "quiet", "data-key": verb, "data-verb": verb },
        verbs[verb].label,
      ),
    ),
  );
}

/** @param {RolloutDocument} rollout */
export function failures({ hosts, failures, maxFailures }) {
  const failed = hosts.filter(({ error }) => error);
  if (failed.length === 0) return null;
  return h(
    "div",
    { class: "failures" },
    h("h3", {}, `${counted(failures, "failure")}, ${maxFailures} allowed`),
    failed
      .slice(0, toldFailures)
      .map(({ hostId, error }) =>
        h(
          "details",
          { "data-key": hostId },
          h("summary", {}, h("b", {}, hostId), ` ${error?.message ?? ""}`),
          error?.output
            ? h("pre", { tabindex: 0, "aria-label": `The last output of ${hostId}` }, error.output)
            : h("p", { class: "hint" }, "It printed nothing."),
        ),
      ),
    failed.length > toldFailures && h("p", { class: "hint" }, `and ${failed.length - toldFailures} more`),
  );
}

/** @param {RolloutDocument} rollout */
export function facts({ id, strategy, plan, reloads, failures, maxFailures }) {
  const perEdge = Object.entries(reloads).map(([edge, count]) => `${edge} ${count}`);
  /** @type {[string, string][]} */
  const rows = [
    ["Strategy", strategyText(strategy)],
    ["Kept serving", `at least ${plan.minServing} of ${plan.base}`],
    ["Reloads", perEdge.join(", ") || "none"],
    ["Failures", `${failures} (${maxFailures} allowed)`],
    ...(plan.absent.length > 0
      ? [/** @type {[string, string]} */ (["Left out", `${plan.absent.join(", ")} can't be commanded`])]
      : []),
    ["Id", id],
  ];
  return h(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) => h("div", { "data-key": name }, h("dt", {}, name), h("dd", {}, value))),
  );
}

/**
 * Why a host is where it is, from the rollout that has it in hand.
 *
 * @param {readonly RolloutDocument[]} rollouts
 * @param {HostDocument} host
 */
export function reasonsOf(rollouts, host) {
  return rollouts
    .filter(({ finishedAt }) => finishedAt === undefined)
    .flatMap(({ waiting }) => waiting.filter(({ hostId }) => hostId === host.id))
    .map(({ message }) => message)
    .concat(standing(host) === "silent" ? ["its agent is not heard"] : []);
}
