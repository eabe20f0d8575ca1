import type { ServiceName } from "@siding/shared/ids";
import type { ProblemCode } from "@siding/shared/problem";

/** Why a request of a person was not taken. `errors` names fields; the map to HTTP is http/problem.ts. */
export interface Refusal {
  readonly code: ProblemCode;
  readonly message: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

export function unknownService(service: ServiceName): Refusal {
  const message = `there is no service ${service}; declare it with PUT /v1/services/${service}`;
  return { code: "unknown-service", message };
}
