import { join } from "node:path";

const built = process.env.SIDING_PROGRAMS;

/** The control plane as a release has it, where that was built; without it, this checkout's own sources. */
export const program =
  built === undefined ? join(import.meta.dirname, "main.ts") : join(built, "siding-control-plane.mjs");
