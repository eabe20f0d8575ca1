import type { HostId, RolloutId, Version } from "@siding/shared/ids";
import type { RolloutBody } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import { makeTarget, type Target } from "@siding/shared/target";
import { servingSlot } from "../fleet/snapshot.ts";
import { instanceSlotKey, type LedgerState, releaseKey, type ServiceRecord } from "../ledger/state.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import { releaseOf } from "./declare.ts";
import type { Refusal } from "./refusal.ts";

/** Who asks for a rollout, when, and the ids that only the shell can make. `at` is RFC 3339, `nowMs` the ledger's clock. */
export interface AdmitContext {
  readonly by: string;
  readonly at: string;
  readonly nowMs: number;
  readonly id: RolloutId;
  readonly idempotencyKey: { readonly key: string; readonly requestDigest: `sha256:${string}` } | null;
}

export interface Wish {
  readonly to: Target;
  readonly strategy: RolloutRecord["strategy"];
  readonly options: Omit<RolloutBody, "version" | "strategy">;
  /** Hosts that are not to be touched. */
  readonly skip: readonly HostId[];
  /** Whether the target's hook is run that comes once before everything; on the way back it is not. */
  readonly withHook: boolean;
}

/** What a request asks for. Errors: `unknown-version`. */
export function wishOf(state: LedgerState, record: ServiceRecord, body: RolloutBody): Result<Wish, Refusal> {
  const target = targetOf(state, record, body.version);
  if (!target.ok) return target;
  const strategy = body.strategy ?? record.spec.strategy;
  return ok({ to: target.value, strategy, options: body, skip: [], withHook: true });
}

function targetOf(
  state: LedgerState,
  { spec, specRevision }: Pick<ServiceRecord, "spec" | "specRevision">,
  version: Version | undefined,
): Result<Target, Refusal> {
  if (version === undefined) return servedTarget(state, { spec, specRevision });
  const release = state.releases.get(releaseKey(spec.name, version));
  if (!release) {
    const message = `service ${spec.name} has no release ${version}; register it with POST /v1/services/${spec.name}/releases`;
    return err({ code: "unknown-version", message, errors: [{ path: "version", message }] });
  }
  return ok(makeTarget(releaseOf(release), specRevision, spec.target));
}

/** Without a version only the spec is rolled out, with the release that serves now. */
function servedTarget(
  state: LedgerState,
  { spec, specRevision }: Pick<ServiceRecord, "spec" | "specRevision">,
): Result<Target, Refusal> {
  const served = [...state.hosts.values()].flatMap(
    (host) => host.instances[instanceSlotKey(spec.name, servingSlot)]?.target?.release ?? [],
  );
  const [release] = served;
  const versions = [...new Set(served.map(({ version }) => version))];
  if (release && versions.length === 1) return ok(makeTarget(release, specRevision, spec.target));
  const what = versions.length === 0 ? "nothing serves yet" : `its hosts serve ${versions.join(" and ")}`;
  const message = `a rollout without a version takes the one that serves, but ${what}; say which version you mean`;
  return err({ code: "unknown-version", message, errors: [{ path: "version", message }] });
}
