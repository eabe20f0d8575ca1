// The fleet's stream, kept open. EventSource can't send a token, so it is fetched.

import { Fleet } from "./fleet.js";

/** @import { FleetMessage } from "./fleet.js" */

/** The stream says that it lives every 15 s; after this long it does not. */
const silenceMs = 40_000;
const shortestPauseMs = 500;
const longestPauseMs = 5_000;

/** @typedef {"connecting" | "live" | "lost" | "refused"} Connection */

/**
 * Follows the fleet until `signal` ends it, connecting again whenever the line breaks.
 *
 * @param {string} token
 * @param {AbortSignal} signal
 * @param {{ onFleet: (fleet: Fleet) => void, onConnection: (connection: Connection, why: string) => void }} listener
 */
export async function follow(token, signal, { onFleet, onConnection }) {
  let pauseMs = shortestPauseMs;
  onConnection("connecting", "");
  while (!signal.aborted) {
    const why = await followOnce(token, signal, {
      onFleet: (fleet) => {
        pauseMs = shortestPauseMs;
        onFleet(fleet);
      },
      onConnection,
    });
    if (signal.aborted || why === null) return;
    onConnection("lost", why);
    // Everybody's page at the same instant is not what a control plane that has just come back needs.
    await sleep(pauseMs * (0.5 + Math.random()), signal);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

/**
 * One connection. Gives why it ended; null where another would end the same way.
 *
 * @param {string} token
 * @param {AbortSignal} signal
 * @param {Parameters<typeof follow>[2]} listener
 * @returns {Promise<string | null>}
 */
async function followOnce(token, signal, { onFleet, onConnection }) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    const answer = await fetch("/v1/fleet/events", {
      headers: { authorization: `Bearer ${token}` },
      cache: "no-store",
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (answer.status === 401 || answer.status === 403) {
      const { detail } = /** @type {{ detail: string }} */ (await answer.json());
      onConnection("refused", detail);
      return null;
    }
    if (!answer.ok || !answer.body) return `the control plane answers ${answer.status}`;
    const fleet = new Fleet();
    for await (const { event, data } of messages(answer.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silenceMs);
      if (event !== "") fleet.apply(messageFrom(event, data));
      // Half a fleet would look like a fleet that has lost half.
      if (!fleet.isComplete) continue;
      onConnection("live", "");
      onFleet(fleet);
    }
    return "the control plane has ended the connection";
  } catch {
    return silence.signal.aborted ? "nothing was heard for too long" : "the control plane can't be reached";
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Server-sent events as they arrive; a comment has neither event nor data.
 *
 * @param {ReadableStream<Uint8Array>} body
 */
async function* messages(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) yield messageOf(block);
  }
}

/**
 * @param {string} event
 * @param {string} data
 */
function messageFrom(event, data) {
  const parsed = /** @type {unknown} */ (JSON.parse(data));
  return /** @type {FleetMessage} */ ({ event, data: parsed });
}

/** @param {string} block */
function messageOf(block) {
  const fields = new Map(
    block.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
    }),
  );
  return { event: fields.get("event") ?? "", data: fields.get("data") ?? "" };
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
