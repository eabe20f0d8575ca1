import { startService } from "./service.mjs";

startService({ startDelayMs: 2_000 });
