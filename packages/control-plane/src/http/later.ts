import type { Access } from "./auth.ts";
import type { Endpoint } from "./endpoint.ts";
import { problem } from "./problem.ts";

type Later = readonly [method: Endpoint["method"], path: string, access: Access, whatItDoes: string];

/** Calls whose meaning is settled and whose work is not built yet: each is refused by its name. */
const later: readonly Later[] = [
  ["post", "/v1/join-tokens", "admin", "makes a token with which a new host can enrol"],
  ["post", "/v1/enroll", "open", "enrols a new host"],
  ["get", "/install.sh", "open", "installs an agent"],
];

export function laterEndpoints(): readonly Endpoint[] {
  return later.map(([method, path, access, whatItDoes]) => ({
    method,
    path,
    access,
    summary: `Not available yet: ${whatItDoes}`,
    responses: { 422: { description: "Not available in this release" } },
    handle: () =>
      problem({
        code: "not-available-yet",
        message: `${method.toUpperCase()} ${path} ${whatItDoes}: not available in this release of Siding`,
      }),
  }));
}
