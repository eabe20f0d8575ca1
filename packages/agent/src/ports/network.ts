import type { Address } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { Question } from "../machine/effect.ts";
import type { PeerCount, ProbeAnswer } from "../machine/event.ts";
import type { ProcessRef } from "../machine/journal.ts";

/** Established connections to a service. Errors: `connections-unreadable`. */
export type CountConnections = (
  process: ProcessRef,
  port: number,
) => Promise<Result<readonly PeerCount[], StepFailure>>;

interface ProbeOrder {
  readonly address: Address;
  readonly port: number;
  readonly question: Question;
  readonly timeoutMs: number;
}

/** Asks once, on a connection of its own. Always answers. */
export type AskHealth = (order: ProbeOrder) => Promise<ProbeAnswer>;
