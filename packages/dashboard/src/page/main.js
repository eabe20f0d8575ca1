// The page: follows the fleet's stream and shows what it says. Nothing is asked for twice, nothing is ever reloaded.

import { byId, Confirmation, HostDialog } from "./dialogs.js";
import { morphChildren } from "./dom.js";
import { forgetToken, keepToken, tokenOfTab } from "./session.js";
import { follow } from "./stream.js";
import { fleetView } from "./view-fleet.js";
import { HostFilter } from "./view-hosts.js";
import { questionOf, resumeFleet, title } from "./words.js";

/** @import { Fleet } from "./fleet.js" */
/** @import { Connection } from "./stream.js" */
/** @import { Verb } from "./words.js" */

/** Ages and countdowns move on by the second. */
const tickMs = 1_000;

const main = byId("fleet", HTMLElement);
const signIn = byId("sign-in", HTMLFormElement);
const signOut = byId("sign-out", HTMLButtonElement);
const connectionText = byId("connection", HTMLElement);
const news = byId("news", HTMLElement);
const filter = new HostFilter();
const confirmation = new Confirmation(tokenOfTab);
const hostDialog = new HostDialog();

/** @type {Fleet | null} */
let fleet = null;
let following = new AbortController();
let isDrawing = false;
/** @type {Map<string, string>} */
const statuses = new Map();

function start() {
  following.abort();
  following = new AbortController();
  const token = tokenOfTab();
  if (token === null) return askForToken("");
  signIn.hidden = true;
  signOut.hidden = false;
  main.hidden = false;
  void follow(token, following.signal, {
    onFleet: (news) => {
      fleet = news;
      draw();
    },
    onConnection: showConnection,
  });
}

/** @param {string} why */
function askForToken(why) {
  fleet = null;
  main.replaceChildren();
  main.hidden = true;
  signOut.hidden = true;
  signIn.hidden = false;
  connectionText.textContent = "";
  byId("sign-in-why", HTMLElement).textContent = why;
  const input = byId("token", HTMLInputElement);
  input.value = "";
  input.focus();
}

/**
 * @param {Connection} connection
 * @param {string} why
 */
function showConnection(connection, why) {
  if (connection === "refused") {
    forgetToken();
    return askForToken(`This token is not taken: ${why}.`);
  }
  const texts = { connecting: "connecting …", live: "live", lost: `not live: ${why}; trying again` };
  const text = texts[connection];
  if (connectionText.textContent !== text) connectionText.textContent = text;
  connectionText.dataset.connection = connection;
}

/** At most once a frame, however much is said in between. */
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    if (!fleet) return;
    morphChildren(main, fleetView(fleet, filter));
    keepTabStop();
    stretchBars();
    if (hostDialog.isOpen) hostDialog.render(fleet);
    announce(fleet);
  });
}

/** The page's policy allows no style in markup, and none is needed: this one is set on the element. */
function stretchBars() {
  for (const part of main.querySelectorAll("[data-grow]")) {
    if (part instanceof HTMLElement) part.style.flexGrow = part.dataset.grow ?? "1";
  }
}

/** Where the cell that Tab leads to is gone, it leads to the first. */
function keepTabStop() {
  if (main.querySelector('.grid .cell[tabindex="0"]')) return;
  main.querySelector(".grid .cell")?.setAttribute("tabindex", "0");
}

/** Tells those who can't see it what has changed: a rollout's status, and nothing finer.
 *
 * @param {Fleet} fleet
 */
function announce(fleet) {
  const changed = [...fleet.rollouts.values()].filter(({ id, status }) =>
    statuses.has(id) ? statuses.get(id) !== status : status !== "succeeded",
  );
  const isFirst = statuses.size === 0;
  for (const { id, status } of fleet.rollouts.values()) statuses.set(id, status);
  if (isFirst || changed.length === 0) return;
  news.textContent = changed.map((rollout) => `${title(rollout)} is ${rollout.status}`).join(". ");
}

/** @param {Event} event */
function clicked({ target }) {
  if (!(target instanceof Element) || !fleet) return;
  const verb = target.closest("[data-verb]");
  const rollout = fleet.rollouts.get(verb?.closest("[data-rollout]")?.getAttribute("data-rollout") ?? "");
  if (verb && rollout) {
    return confirmation.ask(questionOf(rollout, /** @type {Verb} */ (verb.getAttribute("data-verb"))));
  }
  if (target.closest("#resume-fleet")) return confirmation.ask(resumeFleet);
  const host = target.closest("button[data-host]");
  if (host) return hostDialog.show(host.getAttribute("data-host") ?? "", fleet);
  const standing = target.closest("button[data-standing]")?.getAttribute("data-standing");
  if (standing) {
    filter.standing = filter.standing === standing ? null : standing;
    draw();
  }
}

/** Arrow keys in the grid of hosts: one stop for Tab, however many cells.
 *
 * @param {KeyboardEvent} event
 */
function moved(event) {
  const cell = event.target;
  if (!(cell instanceof HTMLElement) || !cell.classList.contains("cell")) return;
  const cells = [...main.querySelectorAll(".grid .cell")].filter((each) => each instanceof HTMLElement);
  const at = cells.indexOf(cell);
  const next = cells[at + stepOf(event.key, cells)];
  if (!next || next === cell) return;
  event.preventDefault();
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/**
 * @param {string} key
 * @param {readonly HTMLElement[]} cells
 */
function stepOf(key, cells) {
  const top = cells[0]?.offsetTop;
  const perRow = cells.findIndex(({ offsetTop }) => offsetTop !== top);
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow };
  return Object.hasOwn(steps, key) ? steps[/** @type {keyof typeof steps} */ (key)] : 0;
}

main.addEventListener("click", clicked);
main.addEventListener("keydown", moved);
main.addEventListener("input", ({ target }) => {
  if (!(target instanceof HTMLInputElement) || target.id !== "host-search") return;
  filter.text = target.value.trim();
  draw();
});
signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(byId("token", HTMLInputElement).value);
  start();
});
signOut.addEventListener("click", () => {
  forgetToken();
  start();
});
addEventListener("hashchange", start);
setInterval(draw, tickMs);
start();
