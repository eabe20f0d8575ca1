import { lackedFeatures } from "@siding/shared/features";
import type { Role, StepFailure } from "@siding/shared/report";
import type { EdgeProtocol } from "@siding/shared/spec";
import type { Target } from "@siding/shared/target";
import type { EdgeView, HostView } from "./snapshot.ts";

/**
 * Why this agent may not be sent the target: it is older than a part of it, which it would leave out without a word. Null
 * where it knows all of it.
 */
export function skewOf(
  { hostId, agent }: Pick<HostView | EdgeView, "hostId" | "agent">,
  role: Role,
  target: Target,
  protocol?: EdgeProtocol,
): StepFailure | null {
  const lacked = lackedFeatures(target, role, agent.features, protocol);
  if (lacked.length === 0) return null;
  const message = `the agent of ${hostId} (version ${agent.version}) does not know ${lacked.join(" and ")} of this spec and would leave it out: upgrade the agent first`;
  return { code: "agent-too-old", message };
}
