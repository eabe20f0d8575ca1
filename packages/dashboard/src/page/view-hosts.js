import { h } from "./dom.js";
import { ago, counted, percent, standing, stateOf, toneOf } from "./words.js";

/** @import { HostDocument } from "@siding/shared/rest" */

/** Up to so many hosts get a line each; more become a grid of cells, with details on demand. */
const listedHosts = 24;
/** More cells than this nobody looks at, and browsers labour: the search narrows them. */
const mostCells = 2_500;

/** What is shown of the hosts: chosen by the person. */
export class HostFilter {
  text = "";
  /** @type {string | null} */
  standing = null;

  /** @param {HostDocument} host */
  takes(host) {
    if (this.standing !== null && standing(host) !== this.standing) return false;
    return this.text === "" || searchable(host).includes(this.text.toLowerCase());
  }
}

/** @param {HostDocument} host */
function searchable({ id, address, labels, instances }) {
  const said = instances.flatMap(({ service, version, state }) => [service, version, state]);
  return [id, address, ...Object.entries(labels).map((label) => label.join("=")), ...said]
    .join(" ")
    .toLowerCase();
}

/**
 * @param {readonly HostDocument[]} hosts
 * @param {ReadonlyMap<string, string>} goals
 * @param {HostFilter} filter
 * @param {number} nowMs
 */
export function hostsSection(hosts, goals, filter, nowMs) {
  const shown = hosts.filter((host) => filter.takes(host));
  return h(
    "section",
    { class: "card", "data-key": "hosts", "aria-labelledby": "hosts-title" },
    h("h2", { id: "hosts-title" }, "Hosts"),
    hosts.length > listedHosts && filters(hosts, filter, shown.length),
    hosts.length === 0 &&
      h("p", { class: "hint" }, "None is declared yet: add hosts to the control plane's config."),
    hosts.length > 0 && shown.length === 0 && h("p", { class: "hint" }, "No host is like that."),
    shown.length > listedHosts ? grid(shown) : table(shown, goals, nowMs),
  );
}

/**
 * @param {readonly HostDocument[]} hosts
 * @param {HostFilter} filter
 * @param {number} shown
 */
function filters(hosts, filter, shown) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const host of hosts) counts.set(standing(host), (counts.get(standing(host)) ?? 0) + 1);
  const kinds = [...counts].sort(([left], [right]) => left.localeCompare(right));
  return h(
    "div",
    { class: "filters", "data-key": "filters" },
    h("label", { class: "unseen", for: "host-search" }, "Search hosts"),
    h("input", {
      id: "host-search",
      type: "search",
      placeholder: "name, address, label, version",
      autocomplete: "off",
      spellcheck: "false",
    }),
    h(
      "div",
      { class: "legend", role: "group", "aria-label": "Show only" },
      kinds.map(([kind, count]) =>
        h(
          "button",
          {
            type: "button",
            class: "legend-item",
            "data-key": kind,
            "data-standing": kind,
            "aria-pressed": filter.standing === kind ? "true" : "false",
          },
          h("i", { class: `dot tone-${toneOf(kind)}`, "aria-hidden": "true" }),
          `${kind} ${count}`,
        ),
      ),
    ),
    shown < hosts.length &&
      h("p", { class: "hint", role: "status" }, `${shown} of ${counted(hosts.length, "host")}`),
  );
}

/** @param {readonly HostDocument[]} hosts */
function grid(hosts) {
  return h(
    "div",
    { "data-key": "grid" },
    h(
      "ul",
      { class: "grid", "aria-label": "Hosts; arrow keys move from one to the next, Enter shows one" },
      hosts.slice(0, mostCells).map((host, index) => cell(host, index)),
    ),
    hosts.length > mostCells &&
      h("p", { class: "hint" }, `${hosts.length - mostCells} more: search to see them`),
  );
}

/**
 * @param {HostDocument} host
 * @param {number} index
 */
function cell(host, index) {
  const kind = standing(host);
  const version = host.instances[0]?.version;
  const what = `${host.id}: ${kind}${version ? `, ${version}` : ""}`;
  return h(
    "li",
    { "data-key": host.id },
    h("button", {
      type: "button",
      class: `cell tone-${toneOf(kind)}`,
      "data-host": host.id,
      tabindex: index === 0 ? 0 : -1,
      "aria-label": what,
      title: what,
    }),
  );
}

/**
 * @param {readonly HostDocument[]} hosts
 * @param {ReadonlyMap<string, string>} goals
 * @param {number} nowMs
 */
function table(hosts, goals, nowMs) {
  if (hosts.length === 0) return null;
  const headings = ["Host", "State", "Version", "Load", "Last seen"];
  return h(
    "table",
    { class: "hosts", "data-key": "table" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        headings.map((text) => h("th", { scope: "col" }, text)),
      ),
    ),
    h(
      "tbody",
      {},
      hosts.map((host) => row(host, goals, nowMs)),
    ),
  );
}

/**
 * @param {HostDocument} host
 * @param {ReadonlyMap<string, string>} goals
 * @param {number} nowMs
 */
function row(host, goals, nowMs) {
  const kind = standing(host);
  return h(
    "tr",
    { "data-key": host.id, "data-row": host.id, "data-standing": kind },
    h(
      "th",
      { scope: "row" },
      h("button", { type: "button", class: "link", "data-host": host.id }, host.id),
      h("span", { class: "hint" }, host.address ?? "never heard of"),
    ),
    h("td", { "data-label": "State" }, states(host)),
    h("td", { "data-label": "Version" }, versions(host, goals)),
    h("td", { "data-label": "Load" }, load(host)),
    h("td", { "data-label": "Last seen" }, seen(host, nowMs)),
  );
}

/**
 * @param {HostDocument} host
 * @param {ReadonlyMap<string, string>} goals
 */
function versions({ id, instances }, goals) {
  return instances.map(({ service, version }) => {
    const goal = goals.get(`${service}/${id}`);
    const isMoving = goal !== undefined && goal !== version;
    return h("div", {}, version ?? "none", isMoving && h("span", { class: "hint" }, ` → ${goal}`));
  });
}

/** @param {HostDocument} host */
function states(host) {
  const held = host.hold && h("div", { class: "hint" }, heldBy(host.hold));
  const kind = standing(host);
  if (host.instances.length === 0 || kind === "silent") {
    return [pill(kind === "idle" ? "no service yet" : kind, kind), held];
  }
  return [host.conflict && pill(kind, kind), ...host.instances.map(instanceState), held];
}

/** @param {NonNullable<HostDocument["hold"]>} hold */
function heldBy({ kind, by, comment }) {
  return `${kind} by ${by}${comment === null ? "" : `: ${comment}`}`;
}

/** @param {HostDocument["instances"][number]} instance */
function instanceState(instance) {
  const shown = stateOf(instance);
  const { state, trouble } = instance;
  return h(
    "div",
    {},
    pill(shown, shown),
    shown !== state && h("span", { class: "hint" }, ` ${state}`),
    trouble && h("span", { class: "refused" }, ` ${trouble.message}`),
  );
}

/**
 * @param {string} text
 * @param {string} state
 */
function pill(text, state) {
  return h("span", { class: `pill tone-${toneOf(state)}` }, text);
}

/** @param {Pick<HostDocument, "load">} host */
export function load({ load }) {
  if (!load) return "–";
  return [
    h("span", { class: "load" }, "cpu ", h("b", {}, percent(load.cpu))),
    h("span", { class: "load" }, "memory ", h("b", {}, percent(load.memory))),
  ];
}

/**
 * @param {HostDocument} host
 * @param {number} nowMs
 */
function seen({ lastSeen, liveness, since }, nowMs) {
  if (liveness === "alive") return ago(lastSeen, nowMs);
  const last = lastSeen === null ? "not yet" : ago(lastSeen, nowMs);
  return h("span", {}, last, since && h("span", { class: "hint" }, ` ${liveness} since ${clock(since)}`));
}

/** @param {string} at */
function clock(at) {
  return new Date(at).toLocaleTimeString();
}

/**
 * Everything about one host.
 *
 * @param {HostDocument} host
 * @param {readonly string[]} reasons why it is where it is
 * @param {number} nowMs
 */
export function hostDetails(host, reasons, nowMs) {
  const trouble = host.trouble && `its agent can do nothing: ${host.trouble}`;
  const said = [...new Set([host.conflict?.message, trouble, ...reasons])].filter((text) => text);
  /** @type {[string, import("./dom.js").Child | import("./dom.js").Child[]][]} */
  const rows = [
    ["Address", host.address ?? "never heard of"],
    ["Agent", `${host.liveness}${host.agentVersion ? `, version ${host.agentVersion}` : ""}`],
    ["Last seen", seen(host, nowMs)],
    ["Load", load(host)],
    ...(host.hold ? [held(host.id, host.hold, nowMs)] : []),
    ["Roles", host.roles.join(", ") || "not said yet"],
    [
      "Labels",
      Object.entries(host.labels)
        .map((label) => label.join("="))
        .join(", ") || "none",
    ],
  ];
  return [
    h("h2", { id: "host-title" }, host.id),
    host.instances.map((instance) => instanceDetails(instance)),
    said.length > 0 &&
      h(
        "ul",
        { class: "host-reasons" },
        said.map((reason) => h("li", {}, reason)),
      ),
    h(
      "dl",
      { class: "facts" },
      rows.map(([name, value]) =>
        h("div", { "data-key": name }, h("dt", {}, name), h("dd", {}, ...[value].flat())),
      ),
    ),
  ]
    .flat()
    .filter((child) => child !== false);
}

/**
 * @param {string} id
 * @param {NonNullable<HostDocument["hold"]>} hold
 * @param {number} nowMs
 * @returns {[string, string]}
 */
function held(id, hold, nowMs) {
  return ["Held", `${heldBy(hold)} (${ago(hold.at, nowMs)}); POST /v1/hosts/${id}/rejoin gives it back`];
}

/** @param {HostDocument["instances"][number]} instance */
function instanceDetails({ service, slot, version, target, state, health, listed, trouble }) {
  return h(
    "div",
    { class: "instance", "data-key": `${service}/${slot}` },
    h("p", {}, h("b", {}, service), ` ${slot} `, pill(state, state)),
    h(
      "p",
      { class: "hint" },
      `${version ? `runs ${version} (${target})` : "runs nothing"}, health ${health}, ${listed ? "in traffic" : "out of traffic"}`,
    ),
    trouble && h("p", { class: "refused" }, trouble.message),
    trouble?.output && h("pre", { tabindex: 0, "aria-label": "Its last output" }, trouble.output),
  );
}
