import { join } from "node:path";

/** The programs that the fleet starts are known by where they are, and by nothing inside them. */
const PACKAGES = join(import.meta.dirname, "../../..");

export const CONTROL_PLANE_PROGRAM = join(PACKAGES, "control-plane/src/main.ts");
export const AGENT_PROGRAM = join(PACKAGES, "agent/src/main.ts");
