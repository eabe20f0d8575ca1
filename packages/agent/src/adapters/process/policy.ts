import type { ServiceName } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Target } from "@siding/shared/target";

/** What this host's admin lets services ask for (the agent's own config). */
export interface Policy {
  /** Null: any. */
  readonly services: readonly ServiceName[] | null;
  readonly units: readonly string[];
  readonly users: readonly string[];
  /** Who runs a service that names no user; null: whoever the agent is. */
  readonly runAs: string | null;
}

type Asked = Pick<Target, "spec" | "release">;

/** Why this host will not run that, each by its name; null where it would. */
export function refusalOf(policy: Policy, service: ServiceName, target: Asked): StepFailure | null {
  const { run } = target.spec;
  const { services, units, users, runAs } = policy;
  if (services !== null && !services.includes(service)) {
    const message = `service '${service}' is not in allow.services of this host's agent`;
    return { code: "service-not-allowed", message };
  }
  const unit = target.release.adopts ?? ("unit" in run ? run.unit : null);
  if (unit !== null) {
    if (units.includes(unit)) return null;
    const message = `unit '${unit}' is not in allow.units of this host's agent`;
    return { code: "unit-not-allowed", message };
  }
  if (!("command" in run) || run.user === undefined || run.user === runAs || users.includes(run.user))
    return null;
  const message = `user '${run.user}' is not in allow.users of this host's agent`;
  return { code: "user-not-allowed", message };
}
