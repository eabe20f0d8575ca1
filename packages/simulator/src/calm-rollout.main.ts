// One calm rollout, for `pnpm bench simulate`: HOSTS, BATCHSIZE and ROUNDMS as arguments, what it took as a line of JSON.

import { rolledOut } from "./calm-rollout.ts";

const [hosts = "", batchSize = "", roundMs = "0"] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(rolledOut(Number(hosts), batchSize, Number(roundMs)))}\n`);
