import type { TargetId } from "@siding/shared/ids";
import type { ReleaseDocument, ServiceDocument } from "@siding/shared/rest";
import { edgesOf, hostsOf } from "../fleet/snapshot.ts";
import type { ReleaseRecord, ServiceRecord } from "../ledger/state.ts";
import { versionOf } from "./document-fleet.ts";
import type { View } from "./document-view.ts";

/** A service as it was written, and what came of it. */
export function serviceDocument({ state }: View, service: ServiceRecord): ServiceDocument {
  const { spec, written, specRevision, activeRollout } = service;
  const listed = new Map<TargetId, number>();
  for (const { targetId } of state.upstreams.get(spec.edge.upstream)?.content.members ?? []) {
    listed.set(targetId, (listed.get(targetId) ?? 0) + 1);
  }
  return {
    name: spec.name,
    specRevision,
    spec: written,
    hosts: hostsOf(state, service).map((host) => host.hostId),
    edges: edgesOf(state, spec).map((edge) => edge.hostId),
    serving: [...listed].map(([target, hosts]) => ({ target, version: versionOf(target), hosts })),
    rollout: activeRollout,
    releases: [...state.releases.values()]
      .filter((release) => release.service === spec.name)
      .map((release) => release.version),
  };
}

export function releaseDocument({ sizeBytes, ...release }: ReleaseRecord): ReleaseDocument {
  return { ...release, size: sizeBytes };
}
