import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Yard } from "@siding/playground/processes/yard";

const PACKAGE_PROGRAM = join(import.meta.dirname, "../../scripts/package.ts");

/** Where the units find what is installed. */
const INSTALLED = "/usr/lib/siding/current";

/** The tarball as a user gets it, made from this checkout and unpacked in the yard. Gives the folder. */
export function unpackedRelease(yard: Yard): string {
  const folder = yard.path("installed");
  mkdirSync(folder);
  const packed = execFileSync(process.execPath, [PACKAGE_PROGRAM, "--out", yard.path("dist")], {
    encoding: "utf8",
  });
  execFileSync("tar", ["-xzf", packed.trim(), "--strip-components=1", "-C", folder]);
  return folder;
}

/** Program and arguments, up to `--config`, as systemd starts a unit of the release; its variables by `env`. */
export function asUnit(folder: string, name: string): readonly string[] {
  const unit = readFileSync(join(folder, "systemd", `${name}.service`), "utf8");
  const all = (key: string) =>
    [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
  const [command = ""] = all("ExecStart");
  const state = (value: string) => value.replaceAll("/var/lib/siding", join(folder, "state"));
  const words = command.slice(0, command.indexOf(" --config")).replaceAll(INSTALLED, folder).split(" ");
  return ["env", ...all("Environment").flatMap((value) => state(value).split(" ")), ...words];
}
