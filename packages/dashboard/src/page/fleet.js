// What the page knows: the newest of everything that the stream has said.

/** @import { EdgeDocument, FleetSummary, HostDocument, RolloutDocument, ServiceDocument } from "@siding/shared/rest" */

/**
 * What the stream says. It comes from our own control plane, which makes it by the schemas of these types.
 *
 * @typedef {{ event: "hello", data: { version: string, now: string } }
 *   | { event: "fleet", data: FleetSummary & { troubles: { what: string, message: string }[] } }
 *   | { event: "services", data: { items: ServiceDocument[] } }
 *   | { event: "edges", data: { items: EdgeDocument[] } }
 *   | { event: "hosts", data: { items: HostDocument[], gone: string[] } }
 *   | { event: "rollout", data: RolloutDocument }
 *   | { event: "rollouts-gone", data: { ids: string[] } }
 *   | { event: "complete", data: object }} FleetMessage
 */

export class Fleet {
  version = "";
  /** The control plane's clock less ours. */
  skewMs = 0;
  isComplete = false;
  /** @type {FleetSummary["summary"] | null} */
  summary = null;
  isBlind = false;
  /** @type {readonly { readonly what: string, readonly message: string }[]} */
  troubles = [];
  /** @type {readonly ServiceDocument[]} */
  services = [];
  /** @type {readonly EdgeDocument[]} */
  edges = [];
  /** @type {Map<string, HostDocument>} */
  hosts = new Map();
  /** @type {Map<string, RolloutDocument>} */
  rollouts = new Map();

  nowMs() {
    return Date.now() + this.skewMs;
  }

  /**
   * Takes in one message of the stream; an unknown kind is a newer control plane's, and nothing to us.
   *
   * @param {FleetMessage} message
   */
  apply({ event, data }) {
    switch (event) {
      case "hello":
        this.version = data.version;
        this.skewMs = Date.parse(data.now) - Date.now();
        break;
      case "fleet":
        this.summary = data.summary;
        this.isBlind = data.blind;
        this.troubles = data.troubles;
        break;
      case "services":
        this.services = data.items;
        break;
      case "edges":
        this.edges = data.items;
        break;
      case "hosts":
        for (const host of data.items) this.hosts.set(host.id, host);
        for (const id of data.gone) this.hosts.delete(id);
        break;
      case "rollout":
        this.rollouts.set(data.id, data);
        break;
      case "rollouts-gone":
        for (const id of data.ids) this.rollouts.delete(id);
        break;
      case "complete":
        this.isComplete = true;
        break;
    }
  }

  /** In the order of the ids, `h2` before `h10`. */
  sortedHosts() {
    return [...this.hosts.values()].sort((left, right) => inNumericOrder.compare(left.id, right.id));
  }

  /** Those under way, then the others; the newest first. */
  sortedRollouts() {
    return [...this.rollouts.values()].sort(
      (left, right) =>
        Number(left.finishedAt !== undefined) - Number(right.finishedAt !== undefined) ||
        right.createdAt.localeCompare(left.createdAt),
    );
  }
}

const inNumericOrder = new Intl.Collator("en", { numeric: true });
