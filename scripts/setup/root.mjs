import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's own folder, wherever the command was started. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
