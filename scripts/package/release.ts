import { execFile } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { ROOT } from "../child.ts";
import { bundle, carriedPackages } from "./bundle.ts";
import { packageFolder } from "./packages.ts";

export type PackedRelease = { readonly file: string; readonly sizeBytes: number };

const run = promisify(execFile);

/** tar and gzip are told everything that they would else take from this machine: same sources, same bytes. */
const REPRODUCIBLE = [
  "--sort=name",
  "--mtime=@0",
  "--owner=0",
  "--group=0",
  "--numeric-owner",
  "--format=gnu",
];
/** Node is most of it, and hardly smaller at higher levels, which take several times as long. */
const GZIP_LEVEL = 4;
const TAR_MAX_BYTES = 512 * 1_048_576;

const EXECUTABLE = 0o755;

/**
 * Builds `siding-VERSION-linux-ARCH.tar.gz` from this checkout and what its installed packages brought: no network.
 * Inside: Node, one bundle a program, better-sqlite3 with its native part, the units and the installer.
 */
export async function packRelease(outFolder: string): Promise<PackedRelease> {
  const name = `siding-${versionOf(ROOT)}-linux-${process.arch}`;
  const draft = mkdtempSync(join(tmpdir(), "siding-package-"));
  try {
    await layOut(join(draft, name));
    const tar = await run("tar", ["--create", ...REPRODUCIBLE, "--directory", draft, name], {
      encoding: "buffer",
      maxBuffer: TAR_MAX_BYTES,
    });
    mkdirSync(outFolder, { recursive: true });
    const file = resolve(outFolder, `${name}.tar.gz`);
    writeFileSync(file, gzipSync(tar.stdout, { level: GZIP_LEVEL }));
    return { file, sizeBytes: statSync(file).size };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function layOut(folder: string): Promise<void> {
  mkdirSync(join(folder, "lib/node_modules"), { recursive: true });
  mkdirSync(join(folder, "bin"));
  await bundle(join(folder, "lib"));
  for (const [name, parts] of Object.entries(carriedPackages()))
    copyParts(packageFolder(name), parts, folder, name);
  cpSync(join(packageFolder(`node-linux-${process.arch}`), "bin/node"), join(folder, "bin/node"));
  chmodSync(join(folder, "bin/node"), EXECUTABLE);
  cpSync(join(ROOT, "deploy/systemd"), join(folder, "systemd"), { recursive: true });
  cpSync(join(ROOT, "deploy/install.sh"), join(folder, "install.sh"));
  chmodSync(join(folder, "install.sh"), EXECUTABLE);
  cpSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  writeFileSync(join(folder, "VERSION"), `${versionOf(ROOT)}\n`);
}

function copyParts(from: string, parts: readonly string[], folder: string, name: string): void {
  for (const part of parts)
    cpSync(join(from, part), join(folder, "lib/node_modules", name, part), { recursive: true });
}

function versionOf(folder: string): string {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  return version;
}
