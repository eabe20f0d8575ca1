// Makes the lab's image ahead of the lab, where this machine can have one.

import { baseImage } from "./image.ts";
import { whyNoLab } from "./requirements.ts";

if (whyNoLab() === null) await baseImage((line) => process.stderr.write(`lab: ${line}\n`));
