import type { Event, ProcessExit } from "@siding/agent/machine/event";
import type { Command } from "@siding/shared/command";
import type { ServiceProcess } from "./process.ts";

/** What ends an agent when so many more effects have been begun. */
export interface Fuse {
  left: number;
  readonly blow: () => void;
}

/** How long something takes, in milliseconds: drawn from this range. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** One life of an agent, as its machine and its hands know it. */
export interface AgentLife {
  readonly isAlive: boolean;
  fuse: Fuse | null;
  begin(bootId: string): void;
  die(): void;
  hear(command: Command): void;
  /** Something happens to the machine now. */
  happen(event: Event): void;
  /** Answers an effect after a while, if the agent still lives then; the answer is made at that time. */
  answer(range: Range, make: () => Event | null): void;
  processGone(process: ServiceProcess, exit: ProcessExit): void;
}
