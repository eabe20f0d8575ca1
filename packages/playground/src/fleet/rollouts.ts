import type { RolloutId } from "@siding/shared/ids";
import { isFinished, type RolloutStatus } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { until } from "../until.ts";
import type { Api } from "./api.ts";

/**
 * Waits until a rollout has ended, and has ended like this. Errors: names how it ended instead or what it waits for.
 */
export async function finished(
  api: Api,
  id: RolloutId,
  wanted: RolloutStatus,
  deadlineMs: number,
): Promise<RolloutDocument> {
  const document = await reached(api, id, "its end", ({ status }) => isFinished(status), deadlineMs);
  if (document.status !== wanted) throw new Error(`not ${wanted}: ${describe(document)}`);
  return document;
}

/** Waits until a rollout is seen in a state; fails at once where it ends without having been seen there. */
export async function reached(
  api: Api,
  id: RolloutId,
  what: string,
  isThere: (document: RolloutDocument) => boolean,
  deadlineMs: number,
): Promise<RolloutDocument> {
  let last: RolloutDocument | undefined;
  const look = async () => {
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
