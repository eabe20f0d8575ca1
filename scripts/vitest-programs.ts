// What vitest does before tests of real processes: they start hundreds, and find what to start by SIDING_PROGRAMS.

import { buildPrograms } from "./package/programs.ts";

export async function setup(): Promise<void> {
  process.env.SIDING_PROGRAMS = await buildPrograms();
}
