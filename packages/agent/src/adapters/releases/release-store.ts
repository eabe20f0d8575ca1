import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ServiceName, type Slot } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { Release } from "@siding/shared/target";
import type { FoundRelease, StageFailure } from "../../machine/event.ts";
import type { Releases } from "../../ports/releases.ts";
import { storageFailure } from "../system/storage-failure.ts";
import { type ArtifactSource, download } from "./download.ts";
import { draftBeginning, noteEnding, partialBeginning, ReleaseLayout, ReleaseNote } from "./layout.ts";
import { syncPath, unpack } from "./unpack.ts";

/** A download that broke off and that nobody has gone on with for so long is not worth its space. */
const partialKeptMs = 86_400_000;

/** Releases in folders. Whatever has its final name is whole; everything before that is a draft beside it. */
export class ReleaseStore implements Releases {
  readonly #layout: ReleaseLayout;
  readonly #source: ArtifactSource;
  /** The newest staging of each release, by the file that it downloads to. */
  readonly #stagings = new Map<string, Promise<unknown>>();

  constructor(releasesDir: string, source: ArtifactSource) {
    this.#layout = new ReleaseLayout(releasesDir);
    this.#source = source;
  }

  async found(): Promise<readonly FoundRelease[]> {
    const lists = await Promise.all((await servicesIn(this.#layout.root)).map((name) => this.#foundOf(name)));
    return lists.flat();
  }

  /** Two slots may want the same release: the second waits, and finds what the first has brought. */
  async stage(
    service: ServiceName,
    release: Release,
    signal: AbortSignal,
  ): Promise<Result<null, StageFailure>> {
    const partial = this.#layout.partial(service, release);
    const staging = Promise.resolve(this.#stagings.get(partial)).then(() =>
      this.#stageAlone(service, release, signal),
    );
    this.#stagings.set(partial, staging);
    try {
      return await staging;
    } finally {
      if (this.#stagings.get(partial) === staging) this.#stagings.delete(partial);
    }
  }

  async #stageAlone(
    service: ServiceName,
    release: Release,
    signal: AbortSignal,
  ): Promise<Result<null, StageFailure>> {
    const partial = this.#layout.partial(service, release);
    const releases = this.#layout.releases(service);
    try {
      if (await exists(this.#layout.release(service, release))) return ok(null);
      await mkdir(releases, { recursive: true, mode: 0o755 });
      const fetched = await download(this.#source, release, partial, signal);
      const staged = fetched.ok ? await this.#unpacked(service, release, signal) : fetched;
      const mayGoOn = !staged.ok && (signal.aborted || staged.error.retry !== "never");
      if (!mayGoOn) await rm(partial, { force: true });
      return staged;
    } catch (cause) {
      return err({ failure: storageFailure(cause, releases) ?? stageFailed(cause), retry: "never" });
    }
  }

  async #unpacked(
    service: ServiceName,
    release: Release,
    signal: AbortSignal,
  ): Promise<Result<null, StageFailure>> {
    const draft = join(this.#layout.releases(service), `${draftBeginning}${randomBytes(6).toString("hex")}`);
    try {
      await mkdir(draft, { mode: 0o755 });
      const unpacked = await unpack(this.#layout.partial(service, release), draft, signal);
      if (!unpacked.ok) return err({ failure: unpacked.error, retry: "never" });
      await this.#publish(service, release, draft);
      return ok(null);
    } finally {
      await removeDraft(draft);
    }
  }

  async unpackedIn(service: ServiceName, release: Release): Promise<Result<string, StepFailure>> {
    const folder = this.#layout.release(service, release);
    if (await exists(folder)) return ok(folder);
    const message = `release ${release.version} (${release.digest}) is not unpacked on this host`;
    return err({ code: "release-missing", message });
  }

  async link(service: ServiceName, slot: Slot, release: Release): Promise<Result<string, StepFailure>> {
    const folder = await this.unpackedIn(service, release);
    if (!folder.ok) return folder;
    const link = this.#layout.link(service, slot);
    const text = this.#layout.linkText(release);
    if ((await linkTextOf(link)) === text) return ok(link);
    try {
      const draft = `${link}${draftBeginning}link`;
      await rm(draft, { force: true });
      await symlink(text, draft);
      await rename(draft, link);
      await syncPath(dirname(link));
      return ok(link);
    } catch (cause) {
      const failure = storageFailure(cause, dirname(link));
      if (failure === null) throw cause;
      return err(failure);
    }
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
    await this.#clearPartials(service);
  }

  /** What broke off and nobody fetches at present: whoever still wants it begins anew. */
  async #clearPartials(service: ServiceName): Promise<void> {
    const folder = this.#layout.releases(service);
    for (const name of await namesIn(folder)) {
      const path = join(folder, name);
      // Looked at and removed in one go, so that no staging can begin in between.
      if (name.startsWith(partialBeginning) && !this.#stagings.has(path)) rmSync(path, { force: true });
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
    const found: FoundRelease[] = [];
    for (const name of await namesIn(folder)) {
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

/**
 * Deletes what a crash left half done, and downloads that nobody went on with. Only where nothing is being staged.
 * Gives what could not be deleted and why: it costs only space.
 */
export async function clearDrafts(releasesDir: string): Promise<readonly string[]> {
  const layout = new ReleaseLayout(releasesDir);
  const complaints: string[] = [];
  for (const service of await servicesIn(releasesDir)) {
    const folder = layout.releases(service);
    for (const name of await namesIn(folder)) {
      const path = join(folder, name);
      if (!name.startsWith(draftBeginning) && !(await isStalePartial(path, name))) continue;
      await rm(path, { recursive: true, force: true }).catch((cause) => complaints.push(messageOf(cause)));
    }
  }
  return complaints;
}

/**
 * Whoever gave up unpacking may be writing the last of it still, so this takes a few attempts. What stays all the same is
 * only space, and is cleared with the drafts of a crash: why nothing was staged is what has to be said.
 */
async function removeDraft(draft: string): Promise<void> {
  await rm(draft, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }).catch(() => undefined);
}

async function isStalePartial(path: string, name: string): Promise<boolean> {
  if (!name.startsWith(partialBeginning)) return false;
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > partialKeptMs;
}

async function servicesIn(root: string): Promise<readonly ServiceName[]> {
  return (await namesIn(root)).flatMap((name) => ServiceName.safeParse(name).data ?? []);
}

function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

function stageFailed(cause: unknown): StepFailure {
  return { code: "stage-failed", message: messageOf(cause) };
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
