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
  const refusal = serviceRefusal(policy, service);
  if (refusal !== null) return refusal;
  const unit = target.release.adopts ?? ("unit" in run ? run.unit : null);
  if (unit !== null) return unitRefusal(policy, unit);
  return userRefusal(policy, "command" in run ? run.user : undefined);
}

export function serviceRefusal({ services }: Policy, service: ServiceName): StepFailure | null {
  if (services === null || services.includes(service)) return null;
  const message = `service '${service}' is not in allow.services of this host's agent`;
  return { code: "service-not-allowed", message };
}

/** Of a service or a hook that names no user nothing is refused: whose it is then, the host's admin says. */
export function userRefusal({ users, runAs }: Policy, user: string | undefined): StepFailure | null {
  if (user === undefined || user === runAs || users.includes(user)) return null;
  const message = `user '${user}' is not in allow.users of this host's agent`;
  return { code: "user-not-allowed", message };
}

function unitRefusal({ units }: Policy, unit: string): StepFailure | null {
  if (units.includes(unit)) return null;
  const message = `unit '${unit}' is not in allow.units of this host's agent`;
  return { code: "unit-not-allowed", message };
}
