import { morphChildren } from "./dom.js";
import { hostDetails } from "./view-hosts.js";
import { reasonsOf } from "./view-rollout.js";
import { title, verbs } from "./words.js";

/** @import { RolloutDocument } from "@siding/shared/rest" */
/** @import { Fleet } from "./fleet.js" */
/** @import { Verb } from "./words.js" */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (element instanceof type) return element;
  throw new Error(`the page has no ${type.name} '${id}'`);
}

/** Asks before anything is done to a rollout, and says what came of it. */
export class Confirmation {
  #dialog = byId("confirm", HTMLDialogElement);
  #comment = byId("comment", HTMLInputElement);
  #refused = byId("confirm-refused", HTMLElement);
  #yes = byId("confirm-yes", HTMLButtonElement);
  /** @type {{ id: string, verb: Verb } | null} */
  #asked = null;

  /** @param {() => string | null} token */
  constructor(token) {
    byId("confirm-no", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send(token() ?? "");
    });
  }

  /**
   * @param {RolloutDocument} rollout
   * @param {Verb} verb
   */
  ask(rollout, verb) {
    const { label, means } = verbs[verb];
    const isNew = rollout.finishedAt !== undefined;
    this.#asked = { id: rollout.id, verb };
    byId("confirm-title", HTMLElement).textContent = `${label}: ${title(rollout)}?`;
    byId("confirm-text", HTMLElement).textContent = isNew
      ? "A new rollout brings every host that this one moved back to where it came from, by the same strategy."
      : means;
    this.#comment.value = "";
    this.#refused.textContent = "";
    this.#yes.textContent = label;
    this.#yes.disabled = false;
    this.#dialog.showModal();
  }

  /** @param {string} token */
  async #send(token) {
    if (!this.#asked) return;
    const { id, verb } = this.#asked;
    this.#yes.disabled = true;
    this.#refused.textContent = "";
    const comment = this.#comment.value.trim();
    const refusal = await tell(
      token,
      `/v1/rollouts/${encodeURIComponent(id)}/${verb}`,
      comment ? { comment } : {},
    );
    this.#yes.disabled = false;
    if (refusal === null) this.#dialog.close();
    else this.#refused.textContent = refusal;
  }
}

/**
 * Gives why it was refused; null where it was taken.
 *
 * @param {string} token
 * @param {string} path
 * @param {object} body
 * @returns {Promise<string | null>}
 */
async function tell(token, path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return null;
    const { detail } = /** @type {{ detail: string }} */ (await answer.json());
    return detail;
  } catch {
    return "The control plane can't be reached; whether it has heard this, the page shows once it can.";
  }
}

/** One host in detail, as long as somebody looks at it. */
export class HostDialog {
  #dialog = byId("host", HTMLDialogElement);
  #details = byId("host-details", HTMLElement);
  #hostId = "";

  /**
   * @param {string} hostId
   * @param {Fleet} fleet
   */
  show(hostId, fleet) {
    this.#hostId = hostId;
    this.render(fleet);
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  /** @param {Fleet} fleet */
  render(fleet) {
    const host = fleet.hosts.get(this.#hostId);
    if (!host) return this.#dialog.close();
    morphChildren(
      this.#details,
      hostDetails(host, reasonsOf([...fleet.rollouts.values()], host), fleet.nowMs()),
    );
  }

  get isOpen() {
    return this.#dialog.open;
  }
}
