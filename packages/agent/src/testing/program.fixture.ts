import { join } from "node:path";

const built = process.env.SIDING_PROGRAMS;

/** The agent as a release has it, where that was built; without it, this checkout's own sources. */
export const AGENT_PROGRAM =
  built === undefined ? join(import.meta.dirname, "../main.ts") : join(built, "siding-agent.mjs");
