import type { RolloutBody } from "@siding/shared/rest";
import type { SpecInput } from "@siding/shared/spec";
import type { z } from "zod";

/** The service of the playground, and the upstream that fronts proxy to. */
export const SERVICE = "web";

/** A rollout as a person asks for it. */
export type RolloutRequest = z.input<typeof RolloutBody>;

/**
 * The playground's service: half of it may be out at a time, two ports so that every strategy can run, and health
 * asked rather often, since the service is up in a tenth of a second.
 */
export function serviceSpec(
  ports: { readonly blue: number; readonly green: number },
  over: Partial<SpecInput> = {},
) {
  return {
    name: SERVICE,
    hosts: { match: { role: "web" } },
    run: { command: ["node", "server.mjs"], stopGrace: "5s" },
    ports,
    health: { http: "/healthz", interval: "200ms", timeout: "1s", rise: 2, grace: "5s" },
    drain: { deadline: "10s" },
    capacity: { minServing: "50%" },
    edge: { match: { role: "edge" }, upstream: SERVICE },
    ...over,
  } satisfies SpecInput;
}
