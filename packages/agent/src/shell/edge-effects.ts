import { err, ok } from "@siding/shared/result";
import type { EdgeEffect } from "../machine/effect.ts";
import type { ApplyFailure, EdgeEvent } from "../machine/event.ts";
import type { Edge } from "../ports/edge.ts";
import type { Log } from "../ports/log.ts";

/** Carries the edge role's effects out. */
export async function carryOutOnEdge(edge: Edge, effect: EdgeEffect, log: Log): Promise<EdgeEvent> {
  const { op } = effect;
  switch (effect.kind) {
    case "start-edge": {
      const started = await edge.start(effect.lists);
      if (!started.ok) {
        log.error("edge-failed", { effect: effect.kind, why: started.error.message });
        return { kind: "edge-started", op, result: started };
      }
      const { inner, served, warnings } = started.value;
      for (const warning of warnings) log.warn("edge-warning", { warning });
      const kind = inner === "cold" ? "cold" : "serving";
      return { kind: "edge-started", op, result: ok({ kind, confirmed: served }) };
    }
    case "recover-edge": {
      const recovered = await edge.recover();
      if (recovered.ok) return { kind: "edge-recovered", op, result: ok(null) };
      log.error("edge-failed", { effect: effect.kind, why: recovered.error.message });
      return { kind: "edge-recovered", op, result: recovered };
    }
    case "prepare-upstream": {
      const { content, ejected } = effect;
      const { upstream } = content;
      const tested = await edge.prepare(content, ejected);
      if (tested.ok) return { kind: "upstream-prepared", op, upstream, result: ok(null) };
      const { code, message } = tested.error;
      return { kind: "upstream-prepared", op, upstream, result: err({ kind: failureKind(code), message }) };
    }
    case "apply-upstream": {
      const { content, revision, ejected } = effect;
      const { upstream } = content;
      const applied = await edge.apply(content, revision, ejected);
      if (applied.ok) return { kind: "upstream-applied", op, upstream, result: applied };
      const { code, message } = applied.error;
      return { kind: "upstream-applied", op, upstream, result: err({ kind: failureKind(code), message }) };
    }
  }
}

/** What nginx says no to stays refused; all else may go well the next time. */
function failureKind(code: string): ApplyFailure["kind"] {
  return code === "edge-config-refused" ? "refused" : "trouble";
}
