import { hasSameContent } from "@siding/shared/digest";
import type { Digest, ServiceName, Version } from "@siding/shared/ids";
import { err, ok, type Result } from "@siding/shared/result";
import type { ServiceSpec } from "@siding/shared/spec";
import type { Release } from "@siding/shared/target";
import { firstContent } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import { type LedgerState, type ReleaseRecord, releaseKey } from "../ledger/state.ts";
import { portConflict } from "./port-conflict.ts";
import { type Refusal, unknownService } from "./refusal.ts";
import { isListLost } from "./restate.ts";

/**
 * Declares a service. The spec revision grows only where the rolled-out part changed. The first declaration also says
 * its upstream for the first time, so that the edges write the files that the user's nginx needs before anything is
 * deployed. Refuses ports and upstreams that another service has.
 */
export function declareService(
  state: LedgerState,
  written: Record<string, unknown>,
  spec: ServiceSpec,
): Result<readonly EventBody[], Refusal> {
  const conflict = conflictOf(state, spec);
  if (conflict) return err(conflict);
  const before = state.services.get(spec.name);
  const fixed = before ? changeOfName(before.spec, spec) : null;
  if (fixed) return err(fixed);
  const same = before && hasSameContent(before.spec.target, spec.target);
  const specRevision = same ? before.specRevision : (before?.specRevision ?? 0) + 1;
  if (before && hasSameContent(before.spec, spec)) return ok([]);
  const declared: EventBody = { type: "service-declared", spec, written, specRevision };
  return ok([declared, ...upstreamEvents(state, spec)]);
}

/** What the user's nginx has in its own config can't be changed from here. */
function changeOfName({ edge: before }: ServiceSpec, { name, edge }: ServiceSpec): Refusal | null {
  for (const [field, word] of [
    ["upstream", "name"],
    ["protocol", "protocol"],
  ] as const) {
    if (before[field] === edge[field]) continue;
    const message = `service ${name} is behind upstream ${before.upstream}${field === "protocol" ? ` (${before.protocol})` : ""}; its ${word} can't be changed, since the user's nginx has it`;
    return { code: "upstream-conflict", message, errors: [{ path: `edge.${field}`, message }] };
  }
  return null;
}

function conflictOf(state: LedgerState, spec: ServiceSpec): Refusal | null {
  for (const [name, { spec: other }] of state.services) {
    if (name === spec.name) continue;
    if (other.edge.upstream === spec.edge.upstream) {
      const message = `upstream ${spec.edge.upstream} belongs to service ${name}`;
      return { code: "upstream-conflict", message, errors: [{ path: "edge.upstream", message }] };
    }
  }
  return portConflict(state, spec);
}

/** Balancing applies at once; members are the rollouts' to change. */
function upstreamEvents(state: LedgerState, spec: ServiceSpec): readonly EventBody[] {
  const before = state.upstreams.get(spec.edge.upstream);
  if (!before) return [{ type: "upstream-revised", service: spec.name, content: firstContent(spec) }];
  const service = state.services.get(spec.name);
  if (before.content.balance === spec.edge.balance || (service && isListLost(state, service))) return [];
  const content = { ...before.content, balance: spec.edge.balance };
  return [{ type: "upstream-revised", service: spec.name, content }];
}

/** An artifact that has come; nothing where it was known. */
export function artifactEvents(
  state: LedgerState,
  { digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number },
): readonly EventBody[] {
  return state.artifacts.has(digest) ? [] : [{ type: "artifact-registered", digest, sizeBytes }];
}

export interface Registered {
  readonly events: readonly EventBody[];
  /** False where the same release was there already. */
  readonly created: boolean;
}

export interface WantedRelease {
  readonly version: Version;
  readonly digest: Digest;
  /** The unit that it is; it has no artifact then. */
  readonly adopts?: string | undefined;
}

/** What targets hold of a release. */
export function releaseOf({ version, digest, sizeBytes, adopts }: ReleaseRecord): Release {
  return { version, digest, sizeBytes, ...(adopts === undefined ? {} : { adopts }) };
}

/** Registers a release: immutable, so the same content again is fine and other content is refused. */
export function registerRelease(
  state: LedgerState,
  service: ServiceName,
  wanted: WantedRelease,
): Result<Registered, Refusal> {
  const { version, digest, adopts } = wanted;
  const registered = releaseBefore(state, service, wanted);
  if (!registered.ok) return registered;
  if (registered.value) return ok({ events: [], created: false });
  if (adopts !== undefined) {
    const event = { type: "release-registered", service, version, digest, sizeBytes: 0, adopts } as const;
    return ok({ events: [event], created: true });
  }
  const artifact = state.artifacts.get(digest);
  if (!artifact) {
    const message = `no artifact ${digest} is here; upload it with POST /v1/artifacts`;
    return err({ code: "unknown-artifact", message, errors: [{ path: "artifact.digest", message }] });
  }
  const { sizeBytes } = artifact;
  return ok({ events: [{ type: "release-registered", service, version, digest, sizeBytes }], created: true });
}

/** Whether this very release was registered before. Errors: `unknown-service`, `release-conflict`. */
export function releaseBefore(
  state: LedgerState,
  service: ServiceName,
  { version, digest }: WantedRelease,
): Result<boolean, Refusal> {
  if (!state.services.has(service)) {
    return err(unknownService(service));
  }
  const existing = state.releases.get(releaseKey(service, version));
  if (existing && existing.digest !== digest) {
    const message = `release ${version} of ${service} exists with ${existing.digest}; a release never changes, choose another version`;
    return err({ code: "release-conflict", message, errors: [{ path: "version", message }] });
  }
  return ok(existing !== undefined);
}
