import { join } from "node:path";

/** The programs that the fleet starts are known by where they are, and by nothing inside them. */
const PACKAGES = join(import.meta.dirname, "../../..");

/** Where they were built as a release has them; without it, the checkout's own sources are started. */
const BUILT = process.env.SIDING_PROGRAMS;

export const CONTROL_PLANE_PROGRAM = program("siding-control-plane.mjs", "control-plane/src/main.ts");
export const AGENT_PROGRAM = program("siding-agent.mjs", "agent/src/main.ts");

function program(built: string, source: string): string {
  return BUILT === undefined ? join(PACKAGES, source) : join(BUILT, built);
}
