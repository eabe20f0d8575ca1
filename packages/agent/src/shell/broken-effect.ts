import { err } from "@siding/shared/result";
import type { Effect } from "../machine/effect.ts";
import type { Event } from "../machine/event.ts";

/**
 * The answer to an effect whose adapter threw. The machine waits for an answer, and the person who reads the report
 * shall know what happened; the cause is in the log.
 */
export function brokenEffect(effect: Effect, message: string): Event | null {
  const failure = { code: "agent-error", message: `${effect.kind}: ${message}` };
  const result = err(failure);
  switch (effect.kind) {
    case "stage-release": {
      const { op, service, slot } = effect;
      return { kind: "staged", op, service, slot, result: err({ failure, retry: "few" }) };
    }
    case "count-connections":
      return {
        kind: "connections-counted",
        op: effect.op,
        service: effect.service,
        slot: effect.slot,
        result,
      };
    case "stop-process":
      return { kind: "process-stopped", op: effect.op, service: effect.service, slot: effect.slot, result };
    case "start-process":
      return { kind: "process-started", op: effect.op, service: effect.service, slot: effect.slot, result };
    case "run-hook": {
      const { op, service, slot, hook } = effect;
      return { kind: "hook-ended", op, service, slot, hook, result };
    }
    case "probe":
      return { kind: "probed", op: effect.op, owner: effect.owner, answer: { kind: "error", message } };
    case "run-check": {
      const { op, service, slot } = effect;
      const owner = { kind: "instance", service, slot } as const;
      return { kind: "probed", op, owner, answer: { kind: "error", message } };
    }
    case "start-edge":
      return { kind: "edge-started", op: effect.op, result };
    case "recover-edge":
      return { kind: "edge-recovered", op: effect.op, result };
    case "apply-upstream": {
      const { upstream } = effect.content;
      return { kind: "upstream-applied", op: effect.op, upstream, result: err({ kind: "trouble", message }) };
    }
    case "prepare-upstream": {
      const { upstream } = effect.content;
      return {
        kind: "upstream-prepared",
        op: effect.op,
        upstream,
        result: err({ kind: "trouble", message }),
      };
    }
    case "adopt":
      // Without knowing what runs the agent could start a service twice.
      throw new Error(failure.message);
    case "write-journal":
    case "send-report":
    case "send-beat":
    case "cancel-stage":
    case "cancel-hook":
    case "prune-releases":
      return null;
  }
}
