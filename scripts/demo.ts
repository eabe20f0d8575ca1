// `npm run demo`: see packages/playground/src/demo.

import { buildPrograms, COMPILED } from "./package/programs.ts";

process.env.SIDING_PROGRAMS = await buildPrograms();
process.env.NODE_COMPILE_CACHE ??= COMPILED;
await import("../packages/playground/src/demo/main.ts");
