import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ServiceName, type Slot } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { Release } from "@siding/shared/target";
import type { FoundRelease, StageFailure } from "../../machine/event.ts";
import type { Releases } from "../../ports/releases.ts";
import { type ArtifactSource, diskFull, download, failed } from "./download.ts";
import { draftBeginning, noteEnding, ReleaseLayout, ReleaseNote } from "./layout.ts";
import { syncPath, unpack } from "./unpack.ts";

/** Releases in folders. Whatever has its final name is whole; everything before that is a draft beside it. */
export class ReleaseStore implements Releases {
  readonly #layout: ReleaseLayout;
  readonly #source: ArtifactSource;

  constructor(releasesDir: string, source: ArtifactSource) {
    this.#layout = new ReleaseLayout(releasesDir);
    this.#source = source;
  }

  async found(): Promise<readonly FoundRelease[]> {
    await mkdir(this.#layout.root, { recursive: true });
    const services = (await readdir(this.#layout.root)).flatMap(
      (name) => ServiceName.safeParse(name).data ?? [],
    );
    const lists = await Promise.all(services.map((service) => this.#foundOf(service)));
    return lists.flat();
  }

  async stage(
    service: ServiceName,
    release: Release,
    signal: AbortSignal,
  ): Promise<Result<null, StageFailure>> {
    const folder = this.#layout.release(service, release);
    if (await exists(folder)) return ok(null);
    const draft = join(this.#layout.releases(service), `${draftBeginning}${randomBytes(6).toString("hex")}`);
    try {
      await mkdir(join(draft, "files"), { recursive: true, mode: 0o755 });
      const fetched = await download(this.#source, release, join(draft, "artifact"), signal);
      if (!fetched.ok) return fetched;
      const unpacked = await unpack(join(draft, "artifact"), join(draft, "files"), signal);
      if (!unpacked.ok) return failed(unpacked.error.code, unpacked.error.message, "never");
      await this.#publish(service, release, join(draft, "files"));
      return ok(null);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOSPC") return diskFull(cause);
      return failed("stage-failed", messageOf(cause), "never");
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  async link(service: ServiceName, slot: Slot, release: Release): Promise<Result<string, StepFailure>> {
    if (!(await exists(this.#layout.release(service, release)))) {
      const message = `release ${release.version} (${release.digest}) is not unpacked on this host`;
      return err({ code: "release-missing", message });
    }
    const link = this.#layout.link(service, slot);
    const text = this.#layout.linkText(release);
    if ((await linkTextOf(link)) === text) return ok(link);
    const draft = `${link}${draftBeginning}link`;
    await rm(draft, { force: true });
    await symlink(text, draft);
    await rename(draft, link);
    await syncPath(dirname(link));
    return ok(link);
  }

  folderOf(service: ServiceName, slot: Slot): string {
    return this.#layout.link(service, slot);
  }

  async prune(service: ServiceName, keep: readonly Release[]): Promise<void> {
    const linked = await Promise.all((["blue", "green"] as const).map((slot) => this.#linked(service, slot)));
    const kept = new Set([...keep.map((release) => this.#layout.release(service, release)), ...linked]);
    for (const found of await this.#foundOf(service)) {
      const folder = this.#layout.release(service, found);
      if (kept.has(folder)) continue;
      await rm(this.#layout.note(service, found), { force: true });
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The note first: a folder without one would never be found, and never be deleted. */
  async #publish(service: ServiceName, release: Release, files: string): Promise<void> {
    const { version, digest } = release;
    const folder = this.#layout.release(service, release);
    const note = this.#layout.note(service, release);
    await writeFile(note, JSON.stringify({ service, version, digest }), { flush: true });
    // A twin may have been quicker: its folder has the same content.
    if (!(await exists(folder))) await rename(files, folder);
    await syncPath(dirname(folder));
  }

  async #foundOf(service: ServiceName): Promise<FoundRelease[]> {
    const folder = this.#layout.releases(service);
    const names = await readdir(folder).catch(() => []);
    const found: FoundRelease[] = [];
    for (const name of names) {
      const note = name.endsWith(noteEnding) ? await this.#readNote(join(folder, name)) : null;
      if (note !== null && (await exists(this.#layout.release(service, note)))) found.push(note);
    }
    return found;
  }

  async #readNote(path: string): Promise<FoundRelease | null> {
    try {
      return ReleaseNote.parse(JSON.parse(await readFile(path, "utf8")));
    } catch {
      // Written by a crash: its release is not there either, and staging writes both anew.
      return null;
    }
  }

  async #linked(service: ServiceName, slot: Slot): Promise<string> {
    const text = await linkTextOf(this.#layout.link(service, slot));
    return text === null ? "" : join(this.#layout.root, service, text);
  }
}

/** Deletes what a crash left half done. Only where nothing is being staged. */
export async function clearDrafts(releasesDir: string): Promise<void> {
  const layout = new ReleaseLayout(releasesDir);
  const names = await readdir(releasesDir).catch(() => []);
  for (const service of names.flatMap((name) => ServiceName.safeParse(name).data ?? [])) {
    const folder = layout.releases(service);
    const drafts = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(draftBeginning));
    await Promise.all(drafts.map((name) => rm(join(folder, name), { recursive: true, force: true })));
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

async function linkTextOf(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
