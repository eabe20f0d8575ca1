import type { HostId } from "./ids.ts";

/** NATS subjects (design section 6). An agent publishes only below `from.<hostId>` and subscribes only below `to.<hostId>`. */
const prefix = "siding.v1";

export const subjects = {
  command: (hostId: HostId) => `${prefix}.to.${hostId}.cmd`,
  report: (hostId: HostId) => `${prefix}.from.${hostId}.report`,
  beat: (hostId: HostId) => `${prefix}.from.${hostId}.beat`,
  allReports: `${prefix}.from.*.report`,
  allBeats: `${prefix}.from.*.beat`,
  toHost: (hostId: HostId) => `${prefix}.to.${hostId}.>`,
  fromHost: (hostId: HostId) => `${prefix}.from.${hostId}.>`,
} as const;

/** The host token of a `from` subject; null where the subject is none of ours. */
export function hostTokenOf(subject: string): string | null {
  const [family, version, direction, host] = subject.split(".");
  return family === "siding" && version === "v1" && direction === "from" && host ? host : null;
}
