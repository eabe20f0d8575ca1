import type { EdgeEffect } from "@siding/agent/machine/effect";
import type { AgentLife } from "./agent-life.ts";
import type { Box } from "./box.ts";

/** The edge role's effects, on the simulated nginx. It takes its own time. */
export function carryOutOnEdge({ nginx, identity }: Box, agent: AgentLife, effect: EdgeEffect): void {
  if (!nginx) throw new Error(`${identity.hostId} is no edge`);
  const { op } = effect;
  switch (effect.kind) {
    case "start-edge":
      nginx.start(effect.lists, (result) => agent.happen({ kind: "edge-started", op, result }));
      return;
    case "recover-edge":
      nginx.recover((result) => agent.happen({ kind: "edge-recovered", op, result }));
      return;
    case "prepare-upstream": {
      const { upstream } = effect.content;
      nginx.prepare((result) => agent.happen({ kind: "upstream-prepared", op, upstream, result }));
      return;
    }
    case "apply-upstream": {
      const { upstream } = effect.content;
      nginx.apply(effect, (result) => {
        agent.happen({ kind: "upstream-applied", op, upstream, result });
      });
      return;
    }
  }
}
