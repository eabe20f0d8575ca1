import type { RolloutId } from "@siding/shared/ids";
import { isFinished, type RolloutStatus } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { until } from "../until.ts";
import type { Api } from "./api.ts";
import { followEvents } from "./events.ts";

/**
 * Waits until a rollout has ended, and has ended like this. Errors: names how it ended instead or what it waits for.
 */
export async function finished(
  api: Api,
  id: RolloutId,
  wanted: RolloutStatus,
  deadlineMs: number,
): Promise<RolloutDocument> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const wait = () => endOfStream(api, id, deadline);
  const document = await reached(api, id, "its end", ({ status }) => isFinished(status), deadlineMs, wait);
  if (document.status !== wanted) throw new Error(`not ${wanted}: ${describe(document)}`);
  return document;
}

/**
 * The stream of a rollout's events ends with it. To wait for that costs nothing, where asking a hundred times a second takes a
 * third of a processor from what is measured or tested. It breaks with the control plane; then it is asked.
 */
async function endOfStream(api: Api, id: RolloutId, deadline: AbortSignal): Promise<void> {
  try {
    await Array.fromAsync(followEvents(api, id, { until: deadline }));
  } catch {
    // It has ended already, the control plane is away, or it is too late: whoever looks next will see.
  }
}

/**
 * Waits until a rollout is seen in a state; fails at once where it ends without having been seen there. `wait` comes before
 * each look.
 */
export async function reached(
  api: Api,
  id: RolloutId,
  what: string,
  isThere: (document: RolloutDocument) => boolean,
  deadlineMs: number,
  wait = async (): Promise<void> => {},
): Promise<RolloutDocument> {
  let last: RolloutDocument | undefined;
  const look = async () => {
    await wait();
    last = await api.readRollout(id);
    return isThere(last) || isFinished(last.status) ? last : undefined;
  };
  const seen = await until(`${what} of rollout ${id}`, look, deadlineMs).catch((error: unknown) => {
    throw new Error(`${String(error)}; ${last === undefined ? "it was never read" : describe(last)}`);
  });
  if (isThere(seen)) return seen;
  throw new Error(`ended before ${what}: ${describe(seen)}`);
}

/** A rollout in a few lines, for whoever has to find out why a test failed. */
function describe(document: RolloutDocument): string {
  const hosts = document.hosts.map(
    ({ hostId, phase, error }) =>
      `${hostId} ${phase}${error === undefined ? "" : ` (${error.code}: ${error.message})`}`,
  );
  const waiting = document.waiting.map(({ code, message }) => `${code}: ${message}`);
  return [
    `rollout ${document.id} is ${document.status}: ${document.explanation}`,
    ...(document.cause === undefined ? [] : [`cause ${document.cause.code}: ${document.cause.message}`]),
    `hosts: ${hosts.join(", ")}`,
    `waiting: ${waiting.join("; ")}`,
  ].join("\n  ");
}
