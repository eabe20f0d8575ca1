import { startService } from "./service.mjs";

// Healthy where nobody but the host itself would ask.
startService({ address: "127.0.0.1" });
