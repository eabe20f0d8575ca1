import type { JudgeMaker } from "./judge.ts";

/** The ledger's clock counts whole milliseconds. */
const roundingMs = 2;

/** Deadlines are counted on the ledger's clock: within one life it goes as time does, whatever the wall says. */
export const clock: JudgeMaker = () => {
  let offsetMs: number | null = null;
  let newestMs = 0;
  return {
    name: "clock",
    rule: "section 3",
    observe(fact, truth) {
      if (fact.kind === "ledger-restored") newestMs = 0;
      if (fact.kind !== "event") return null;
      const { elapsedMs, body } = fact.event;
      const before = newestMs;
      newestMs = elapsedMs;
      if (elapsedMs < before) return `the ledger's clock goes back from ${before} to ${elapsedMs}`;
      if (body.type === "control-plane-started") offsetMs = truth.nowMs - elapsedMs;
      if (offsetMs === null || Math.abs(truth.nowMs - elapsedMs - offsetMs) <= roundingMs) return null;
      return `the ledger's clock says ${elapsedMs}, and ${truth.nowMs - offsetMs} ms have passed`;
    },
  };
};
