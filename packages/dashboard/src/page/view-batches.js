import { h } from "./dom.js";
import { counted, duration, floorSecond, toneOf } from "./words.js";

/** @import { RolloutDocument } from "@siding/shared/rest" */

/** Up to so many hosts of a batch get a chip with their name; more become cells. */
const namedHosts = 40;

/** @typedef {{ readonly hosts: readonly string[], readonly state: string }} ShownBatch */

/** A rollout of more batches than this shows those in hand and what is next, and the others in a line. */
const shownBatches = 8;
const shownLargeBatches = 2;

/**
 * The batches of a rollout: those in hand host by host.
 *
 * @param {RolloutDocument} rollout
 * @param {number} nowMs
 */
export function batches(rollout, nowMs) {
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
