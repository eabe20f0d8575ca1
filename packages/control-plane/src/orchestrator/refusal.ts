import type { ProblemCode } from "@siding/shared/problem";

/** Why a request of a person was not taken. `errors` names fields; the map to HTTP is http/problem.ts. */
export interface Refusal {
  readonly code: ProblemCode;
  readonly message: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

/** Who asks, when, and the ids that only the shell can make. `at` is RFC 3339, `nowMs` the ledger's clock. */
export interface RequestContext {
  readonly by: string;
  readonly at: string;
  readonly nowMs: number;
}
