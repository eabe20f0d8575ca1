import { h } from "./dom.js";
import {
  counted,
  duration,
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

/** Up to so many hosts of a rollout get a chip with their name; more become cells. */
const namedHosts = 40;
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
function statusPill(status) {
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
function capital(text) {
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
function buttons(rollout) {
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

/** @typedef {{ readonly hosts: readonly string[], readonly state: string }} ShownBatch */

/** A rollout of more batches than this shows those in hand and what is next, and the others in a line. */
const shownBatches = 8;
const shownLargeBatches = 2;

/**
 * @param {RolloutDocument} rollout
 * @param {number} nowMs
 */
function batches(rollout, nowMs) {
  const started = rollout.batches.map(({ hosts, wallMs }) => ({ hosts, state: batchTime(wallMs) }));
  const taken = new Set(started.flatMap(({ hosts }) => hosts));
  const planned = rollout.plan.batches
    .map((hosts) => hosts.filter((id) => !taken.has(id)))
    .filter((hosts) => hosts.length > 0)
    .map((hosts) => ({ hosts, state: "to come" }));
  const all = [...started, ...planned];
  const inHand = all.findIndex(({ state }) => state === "in hand");
  const isLarge = all.some(({ hosts }) => hosts.length > namedHosts);
  const shown = isLarge ? shownLargeBatches : shownBatches;
  const from = Math.max(0, Math.min(inHand < 0 ? started.length : inHand, all.length - shown));
  const to = from + shown;
  return h(
    "ol",
    { class: "batches", "aria-label": "Batches" },
    from > 0 && otherBatches("done", all.slice(0, from), "done"),
    all.slice(from, to).map((batch, index) => batchItem(rollout, batch, from + index, nowMs)),
    all.length > to && otherBatches("later", all.slice(to), "to come"),
  );
}

/**
 * @param {string} key
 * @param {readonly ShownBatch[]} batches
 * @param {string} what
 */
function otherBatches(key, batches, what) {
  const hosts = batches.reduce((total, batch) => total + batch.hosts.length, 0);
  const text = `${counted(batches.length, "batch", "batches")} with ${counted(hosts, "host")} ${what}`;
  return h("li", { "data-key": key, class: "other-batches hint" }, text);
}

/**
 * @param {RolloutDocument} rollout
 * @param {ShownBatch} batch
 * @param {number} index
 * @param {number} nowMs
 */
function batchItem(rollout, { hosts, state }, index, nowMs) {
  const kind = hosts.length > namedHosts ? "cells" : "chips";
  return h(
    "li",
    { "data-key": `batch-${index}`, "data-batch": index },
    h("p", { class: "batch-title" }, h("b", {}, `Batch ${index + 1}`), h("span", { class: "hint" }, state)),
    h(
      "ul",
      { class: kind },
      hosts.map((id) =>
        hostChip(
          rollout.hosts.find(({ hostId }) => hostId === id),
          id,
          nowMs,
        ),
      ),
    ),
  );
}

/** @param {number | null} wallMs */
function batchTime(wallMs) {
  return wallMs === null ? "in hand" : `took ${duration(wallMs)}`;
}

/**
 * @param {RolloutDocument["hosts"][number] | undefined} host
 * @param {string} hostId
 * @param {number} nowMs
 */
function hostChip(host, hostId, nowMs) {
  const phase = host?.phase ?? "pending";
  const inHand =
    host && ["leaving", "draining", "updating", "verifying", "joining", "staging"].includes(phase);
  return h(
    "li",
    { "data-key": hostId },
    h(
      "button",
      {
        type: "button",
        class: `chip tone-${toneOf(phase)}`,
        "data-host": hostId,
        "data-phase": phase,
        title: `${hostId}: ${phase}`,
      },
      h("span", { class: "chip-name" }, hostId),
      h(
        "span",
        { class: "chip-phase" },
        inHand ? `${phase} ${duration(floorSecond(nowMs - Date.parse(host.since)))}` : phase,
      ),
    ),
  );
}

/** @param {number} ms */
function floorSecond(ms) {
  return Math.max(1_000, Math.floor(ms / 1_000) * 1_000);
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
