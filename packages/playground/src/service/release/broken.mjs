import { startService } from "./service.mjs";

process.stderr.write("cannot reach the database\n");
startService({ healthStatus: 500 });
