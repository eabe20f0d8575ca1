import { startService } from "./service.mjs";

startService();
