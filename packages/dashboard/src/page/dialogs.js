import { morphChildren } from "./dom.js";
import { hostDetails } from "./view-hosts.js";
import { reasonsOf } from "./view-rollout.js";

/** @import { Fleet } from "./fleet.js" */
/** @import { Question } from "./words.js" */

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

/** Asks before anything is done, and says what came of it. */
export class Confirmation {
  #dialog = byId("confirm", HTMLDialogElement);
  #comment = byId("comment", HTMLInputElement);
  #refused = byId("confirm-refused", HTMLElement);
  #yes = byId("confirm-yes", HTMLButtonElement);
  /** @type {Question | null} */
  #asked = null;

  /** @param {() => string | null} token */
  constructor(token) {
    byId("confirm-no", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send(token() ?? "");
    });
  }

  /** @param {Question} question */
  ask(question) {
    const { label, asked, means } = question;
    this.#asked = question;
    byId("confirm-title", HTMLElement).textContent = asked;
    byId("confirm-text", HTMLElement).textContent = means;
    this.#comment.value = "";
    this.#refused.textContent = "";
    this.#yes.textContent = label;
    this.#yes.disabled = false;
    this.#dialog.showModal();
  }

  /** @param {string} token */
  async #send(token) {
    if (!this.#asked) return;
    const { path } = this.#asked;
    this.#yes.disabled = true;
    this.#refused.textContent = "";
    const comment = this.#comment.value.trim();
    const refusal = await tell(token, path, comment ? { comment } : {});
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
