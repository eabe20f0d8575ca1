import type { HostId, ServiceName, Version } from "@siding/shared/ids";
import type { Conduct } from "../box/conduct.ts";
import type { Scenario } from "./scenario.ts";

/** One release of one service on one host. */
interface Installed {
  readonly service: ServiceName;
  readonly version: Version;
  readonly hostId: HostId;
}

/** How a release behaves on a host. */
export function conductOf({ services }: Scenario, { service, version, hostId }: Installed): Conduct {
  const release = services
    .find(({ spec }) => spec.name === service)
    ?.releases.find((each) => each.version === version);
  if (!release) throw new Error(`no release ${version} of ${service} in the scenario`);
  return release.elsewhere.get(hostId) ?? release.conduct;
}

/** How its next process behaves. One that has died by itself once does not do it again. */
export function readyOrEnding(scenario: Scenario, installed: Installed, diesNoMore: boolean): Conduct {
  const conduct = conductOf(scenario, installed);
  if (conduct.kind === "dies" && diesNoMore) return { kind: "sound", startMs: conduct.startMs };
  return conduct;
}
