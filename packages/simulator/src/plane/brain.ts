import { fold } from "@siding/control-plane/ledger/fold";
import { intake } from "@siding/control-plane/messaging/intake";
import { admitRollback, admitRollout } from "@siding/control-plane/orchestrator/admit";
import { resumeFleet } from "@siding/control-plane/orchestrator/behind";
import { controlRollout } from "@siding/control-plane/orchestrator/control";
import { decideAll } from "@siding/control-plane/orchestrator/decide";
import { declareService, registerRelease } from "@siding/control-plane/orchestrator/declare";
import { excludeEdge, includeEdge } from "@siding/control-plane/orchestrator/edges";
import { holdHost, releaseHost } from "@siding/control-plane/orchestrator/holds";
import { admitRestart } from "@siding/control-plane/orchestrator/restart";
import { advance } from "@siding/control-plane/rollout/advance";
import { check } from "@siding/control-plane/rollout/check";

/** The pure parts of the control plane: production's. */
export const productionBrain = {
  advance,
  check,
  decideAll,
  fold,
  intake,
  admitRollout,
  admitRollback,
  admitRestart,
  controlRollout,
  declareService,
  registerRelease,
  holdHost,
  releaseHost,
  excludeEdge,
  includeEdge,
  resumeFleet,
};

/** Production's pure parts, or a copy of them with a planted mistake. */
export type Brain = typeof productionBrain;

/** Where they are in packages/control-plane/src. */
export const brainFiles = [
  "ledger/fold.ts",
  "messaging/intake.ts",
  "orchestrator/admit.ts",
  "orchestrator/behind.ts",
  "orchestrator/control.ts",
  "orchestrator/decide.ts",
  "orchestrator/declare.ts",
  "orchestrator/edges.ts",
  "orchestrator/holds.ts",
  "orchestrator/restart.ts",
  "rollout/advance.ts",
  "rollout/check.ts",
] as const;
