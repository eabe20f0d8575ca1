import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const PROGRAMS = ["systemd-nspawn", "mmdebstrap", "ip", "nft", "unshare", "nsenter"];

/** Why hosts can't be made on this machine; null where they can. */
export function whyNoLab(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "the lab needs Linux and root";
  const missing = PROGRAMS.filter((program) => !isInstalled(program));
  if (missing.length > 0) return `the lab needs ${missing.join(", ")}`;
  const mayMount = spawnSync("unshare", ["--mount", "--propagation", "private", "true"]).status === 0;
  return mayMount ? null : "the lab needs the right to mount, which this machine does not give";
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
