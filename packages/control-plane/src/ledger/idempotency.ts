import type { LedgerEvent, OutsideEvent } from "./event.ts";
import type { IdempotencyRecord, LedgerState, Touched } from "./state.ts";

/**
 * So long a request that is sent again is known by its key, counted on the ledger's clock; afterwards the key is free.
 * A client that has not heard for a day asks what became of its rollout before it sends anything again.
 */
const idempotencyKeptMs = 86_400_000;

type Created = Extract<OutsideEvent, { type: "rollout-created" }>;

/** What was begun with this key; undefined where it is new or forgotten. */
export function knownByKey(state: LedgerState, key: string, nowMs: number): IdempotencyRecord | undefined {
  const record = state.idempotency.get(key);
  return record && isKept(state, record, nowMs) ? record : undefined;
}

/** Notes the key of a rollout that was just created, and forgets the old ones. */
export function foldIdempotency(
  state: LedgerState,
  event: LedgerEvent,
  { idempotencyKey, rollout }: Created,
): readonly Touched[] {
  const old = [...state.idempotency].filter(([, record]) => !isKept(state, record, event.elapsedMs));
  for (const [key] of old) state.idempotency.delete(key);
  const touched = old.map(([key]) => key);
  if (idempotencyKey) {
    const { key, requestDigest } = idempotencyKey;
    state.idempotency.set(key, { rolloutId: rollout.id, requestDigest });
    touched.push(key);
  }
  return touched.map((key) => ({ table: "idempotency", key }));
}

function isKept({ rollouts }: LedgerState, { rolloutId }: IdempotencyRecord, nowMs: number): boolean {
  const begun = rollouts.get(rolloutId)?.createdAtMs;
  return begun !== undefined && nowMs - begun < idempotencyKeptMs;
}
