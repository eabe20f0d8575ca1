import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { command } from "./command.ts";

const RECIPE = join(import.meta.dirname, "make-image.sh");

/** Half a minute where the packages are near. */
const BUILD_DEADLINE_MS = 600_000;

/**
 * The root folder that all hosts of a lab start from; nobody writes to it. Made once for each recipe, and kept in the
 * user's cache.
 */
export async function baseImage(say: (line: string) => void): Promise<string> {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "stable";
  const key = createHash("sha256").update(codename).update(readFileSync(RECIPE)).digest("hex").slice(0, 16);
  const folder = join(cacheFolder(), "siding", "lab", key);
  if (existsSync(folder)) return folder;
  say("making the lab's image, once: about a minute");
  const draft = `${folder}.${process.pid}`;
  mkdirSync(dirname(folder), { recursive: true });
  removeAbandoned(dirname(folder));
  try {
    await command("sh", [RECIPE, draft, codename], { deadlineMs: BUILD_DEADLINE_MS });
    if (!existsSync(folder)) renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

/** Drafts of those who were killed while they made one. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /\.(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(folder, name), { recursive: true });
  }
}

function cacheFolder(): string {
  return process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
}
