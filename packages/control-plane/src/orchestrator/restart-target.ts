import type { ServiceName } from "@siding/shared/ids";
import { err, ok, type Result } from "@siding/shared/result";
import type { Target } from "@siding/shared/target";
import type { Refusal } from "./refusal.ts";

/** What all hosts of a restart serve; null is a host that has never served. Refused where that is not one target. */
export function commonTarget(
  service: ServiceName,
  served: readonly (Target | null)[],
): Result<Target, Refusal> {
  const targets = new Map(served.flatMap((target) => (target ? [[target.id, target]] : [])));
  const [to, other] = targets.values();
  if (to && !other) return ok(to);
  if (!to)
    return err({ code: "nothing-to-do", message: `no host serves ${service}: there is nothing to restart` });
  const message = `these hosts serve ${[...targets.keys()].join(" and ")}; name those of one of them`;
  return err({ code: "invalid-request", message, errors: [{ path: "hosts", message }] });
}
