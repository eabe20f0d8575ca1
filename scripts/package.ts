// `npm run package [-- --out FOLDER]`: the release tarball of this checkout, for the machine's own architecture. Its
// name is the one line on stdout.

import { parseArgs } from "node:util";
import { packRelease } from "./package/release.ts";

const { values } = parseArgs({ options: { out: { type: "string", default: "dist" } } });
const { file, sizeBytes } = await packRelease(values.out);
process.stderr.write(`${(sizeBytes / 1_048_576).toFixed(1)} MiB\n`);
process.stdout.write(`${file}\n`);
