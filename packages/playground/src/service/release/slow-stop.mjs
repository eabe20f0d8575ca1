import { startService } from "./service.mjs";

startService({ stopDelayMs: 2_000 });
