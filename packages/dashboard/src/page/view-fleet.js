import { h } from "./dom.js";
import { hostsSection, load } from "./view-hosts.js";
import { recentRollouts } from "./view-recent.js";
import { activeRollout } from "./view-rollout.js";
import { ago, counted, goalsOf, resumeFleet, title } from "./words.js";

/** @import { EdgeDocument, HostDocument, RolloutDocument, ServiceDocument } from "@siding/shared/rest" */
/** @import { Fleet } from "./fleet.js" */
/** @import { HostFilter } from "./view-hosts.js" */

/**
 * The whole page, from what is known and what the person wants to see of it.
 *
 * @param {Fleet} fleet
 * @param {HostFilter} filter
 * @returns {Node[]}
 */
export function fleetView(fleet, filter) {
  const nowMs = fleet.nowMs();
  const rollouts = fleet.sortedRollouts();
  const active = rollouts.filter(({ finishedAt }) => finishedAt === undefined);
  const ended = rollouts.filter(({ finishedAt }) => finishedAt !== undefined);
  return [
    h("h1", { class: "unseen", "data-key": "title" }, "The fleet"),
    ...warnings(fleet),
    summary(fleet),
    ...active.map((rollout) => activeRollout(rollout, nowMs)),
    ...fleet.services
      .filter(({ rollout }) => rollout === null)
      .map((service) => restingService(service, ended, fleet.behind !== null)),
    fleet.services.length === 0 ? noService() : null,
    hostsSection(fleet.sortedHosts().filter(isNoMereEdge), goalsOf(rollouts), filter, nowMs),
    edgesSection(fleet, nowMs),
    recentRollouts(ended, nowMs),
    h("footer", { class: "hint", "data-key": "footer" }, `Siding ${fleet.version}`),
  ].filter((node) => node !== null);
}

/**
 * Edges have a list of their own.
 *
 * @param {HostDocument} host
 */
function isNoMereEdge({ roles }) {
  return !roles.includes("edge") || roles.includes("host");
}

/** More than these at once nobody reads; the hosts below say it each of itself. */
const mostWarnings = 6;

/** @param {Fleet} fleet */
function warnings(fleet) {
  const { troubles, isBlind, behind } = fleet;
  const texts = troubles.map(({ what, message }) => [`trouble-${what}`, message]);
  if (isBlind) {
    const isCutOff = troubles.some(({ what }) => what === "nats");
    const why = isCutOff
      ? "The control plane hears nobody"
      : "So many agents are silent at once that it is probably our own connection";
    texts.push([
      "blind",
      `${why}: nothing is counted against hosts, and nothing moves until they are heard. What serves goes on serving.`,
    ]);
  }
  for (const { id, conflict } of fleet.sortedHosts()) {
    if (conflict) texts.push([`conflict-${id}`, conflict.message]);
  }
  return [
    ...texts
      .slice(0, mostWarnings)
      .map(([key, text]) => h("p", { class: "notice", role: "alert", "data-key": key }, text)),
    behind ? behindNotice(behind) : null,
  ];
}

/** @param {string} behind */
function behindNotice(behind) {
  return h(
    "div",
    { class: "notice", "data-key": "behind" },
    h("p", { role: "alert" }, behind),
    h(
      "div",
      { class: "buttons" },
      h("button", { type: "button", id: "resume-fleet", class: "primary" }, resumeFleet.label),
    ),
  );
}

/** @param {Fleet} fleet */
function summary({ summary, services, edges }) {
  if (!summary) return null;
  const quiet = [
    summary.silent > 0 && `${summary.silent} silent`,
    summary.unknown > 0 && `${summary.unknown} not heard yet`,
  ].filter(Boolean);
  const { instances: all, listed: serving } = summary;
  /** @type {[string, string, string][]} */
  const tiles = [
    ["Agents", `${summary.alive} of ${summary.hosts}`, quiet.length > 0 ? quiet.join(", ") : "all alive"],
    [
      "Instances",
      `${serving} of ${all}`,
      all === serving ? "all in traffic" : `${all - serving} out of traffic`,
    ],
    ["Edges", String(summary.edges), edgesText(edges)],
    ["Rollouts", String(summary.rollouts), summary.rollouts === 0 ? "none under way" : "under way"],
  ];
  return h(
    "dl",
    { class: "tiles", "data-key": "summary", "aria-label": `${counted(services.length, "service")} in all` },
    tiles.map(([name, value, text]) =>
      h(
        "div",
        { "data-key": name, "data-tile": name.toLowerCase() },
        h("dt", {}, name),
        h("dd", {}, h("b", {}, value), h("span", { class: "hint" }, text)),
      ),
    ),
  );
}

/**
 * Nothing is under way: that too is an answer.
 *
 * @param {ServiceDocument} service
 * @param {readonly RolloutDocument[]} ended
 * @param {boolean} isBehind the ledger may be wrong about what serves
 */
function restingService({ name, serving, hosts, edges, releases }, ended, isBehind) {
  const last = ended.find(({ service }) => service === name);
  const versions = serving.map(({ version, hosts: count }) => `${version} on ${counted(count, "host")}`);
  const source = isBehind ? "By this ledger it serves" : "It serves";
  const what = versions.length > 0 ? `${source} ${versions.join(" and ")}.` : "Nothing of it serves yet.";
  const next =
    hosts.length === 0
      ? "No host matches it."
      : `Next: nothing, until somebody starts a rollout; releases: ${releases.slice(-5).join(", ") || "none yet"}.`;
  return h(
    "section",
    { class: "card resting", "data-key": `service-${name}`, "data-service": name },
    h("header", {}, h("h2", {}, name), h("span", { class: "pill tone-idle" }, "at rest")),
    h("p", {}, `${what} ${edges.length === 0 ? "No edge routes to it. " : ""}${next}`),
    last &&
      last.status !== "succeeded" &&
      h(
        "p",
        { class: "refused" },
        `The last rollout (${title(last)}) ended ${last.status}: ${last.story.doing}`,
      ),
  );
}

function noService() {
  return h(
    "section",
    { class: "card resting", "data-key": "no-service" },
    h("h2", {}, "No service yet"),
    h("p", {}, "Declare one with PUT /v1/services/NAME: ", h("a", { href: "/docs" }, "the API"), "."),
  );
}

/** @param {readonly EdgeDocument[]} edges */
function edgesText(edges) {
  const excluded = edges.filter((edge) => edge.excluded !== null).length;
  if (excluded > 0) return `${excluded} excluded`;
  return edges.length === 0 ? "no traffic is routed" : "route the traffic";
}

/**
 * @param {Fleet} fleet
 * @param {number} nowMs
 */
function edgesSection({ edges, hosts }, nowMs) {
  const headings = ["Edge", "Upstream", "Serves", "Reloads", "Load", "Last seen"];
  const rows = edges.flatMap((edge) => edgeRows(edge, hosts.get(edge.id), nowMs));
  return h(
    "section",
    { class: "card", "data-key": "edges", "aria-labelledby": "edges-title" },
    h("h2", { id: "edges-title" }, "Edges"),
    rows.length === 0
      ? h("p", { class: "hint" }, "None has been heard yet: without one nothing is routed.")
      : h(
          "table",
          { class: "hosts" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              headings.map((text) => h("th", { scope: "col" }, text)),
            ),
          ),
          h("tbody", {}, rows),
        ),
  );
}

/**
 * @param {EdgeDocument} edge
 * @param {HostDocument | undefined} host
 * @param {number} nowMs
 */
function edgeRows(edge, host, nowMs) {
  const { id, lastSeen, upstreams } = edge;
  const name = () =>
    h(
      "th",
      { scope: "row" },
      h("button", { type: "button", class: "link", "data-host": id }, id),
      h("span", { class: "hint" }, edgeStanding(edge)),
    );
  const rest = () => [
    h("td", { "data-label": "Load" }, host ? load(host) : "–"),
    h("td", { "data-label": "Last seen" }, ago(lastSeen, nowMs)),
  ];
  if (upstreams.length === 0) {
    return [h("tr", { "data-key": id }, name(), h("td", { colspan: 3 }, "no upstream yet"), rest())];
  }
  return upstreams.map((upstream) =>
    h(
      "tr",
      { "data-key": `${id}/${upstream.upstream}`, "data-edge": id },
      name(),
      h(
        "td",
        { "data-label": "Upstream" },
        upstream.upstream,
        h("span", { class: "hint" }, ` ${membersText(upstream)}`),
      ),
      h("td", { "data-label": "Serves" }, served(upstream)),
      h("td", { "data-label": "Reloads" }, upstream.reloads),
      rest(),
    ),
  );
}

/** @param {EdgeDocument} edge */
function edgeStanding({ liveness, counted: isCounted, excluded }) {
  if (excluded) return `${liveness}, excluded by ${excluded.by}: rollouts do not wait for it`;
  return isCounted ? liveness : `${liveness}, not counted yet`;
}

/**
 * An edge that serves a revision which a restored ledger never said.
 *
 * @param {EdgeDocument["upstreams"][number]} upstream
 */
function isAhead({ wanted, serving }) {
  return (serving ?? 0) > wanted;
}

/** @param {EdgeDocument["upstreams"][number]} upstream */
function membersText(upstream) {
  return isAhead(upstream) ? "members not known here" : counted(upstream.members.length, "member");
}

/** @param {EdgeDocument["upstreams"][number]} upstream */
function served(upstream) {
  const { wanted, serving, refused, trouble } = upstream;
  const isCurrent = serving === wanted;
  const standing = isAhead(upstream) ? "ahead" : "behind";
  const what = isCurrent
    ? `revision ${wanted}, as wanted`
    : `revision ${serving ?? "none"}; wanted is ${wanted}`;
  const complaint = refused ?? trouble;
  return h(
    "span",
    {},
    h("span", { class: `pill tone-${isCurrent ? "good" : "leaving"}` }, isCurrent ? "current" : standing),
    ` ${what}`,
    complaint && h("span", { class: "refused" }, ` ${complaint}`),
  );
}
