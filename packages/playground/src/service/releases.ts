import { readFileSync } from "node:fs";
import { join } from "node:path";
import { archiveOf, type Entry } from "./archive.ts";

/** What a release of the playground's service is like; each is a program in release/. */
export type Variant =
  | "sound"
  | "broken"
  | "exits-at-once"
  | "never-answers"
  | "loopback-only"
  | "slow-start"
  | "slow-stop"
  | "tcp";

/** A release that the fleet can register: its version and how it behaves. */
export type NamedRelease = { readonly version: string; readonly variant: Variant };

const LIBRARY = ["service.mjs", "websocket.mjs"];

/**
 * Packs a release as `.tar.gz`, always the same bytes for the same release. It runs by `node server.mjs`.
 *
 * @param ballast content beside it, for a release that takes a while to fetch
 */
export function packRelease(release: NamedRelease, ballast: Buffer = Buffer.alloc(0)): Buffer {
  const { version, variant } = release;
  return archiveOf([
    fileEntry("server.mjs", join(import.meta.dirname, "release", `${variant}.mjs`)),
    ...LIBRARY.map((name) => fileEntry(name, join(import.meta.dirname, "release", name))),
    { path: "VERSION", content: Buffer.from(`${version}\n`) },
    ...(ballast.length > 0 ? [{ path: "ballast", content: ballast }] : []),
  ]);
}

function fileEntry(path: string, source: string): Entry {
  return { path, content: readFileSync(source) };
}
