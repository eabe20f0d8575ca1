import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Digest } from "@siding/shared/ids";
import { ok, type Result } from "@siding/shared/result";
import { ArtifactStore } from "./artifacts/store.ts";
import type { Config } from "./config.ts";
import { takeLock } from "./data-dir/lock.ts";
import { backUp, type Manifest, restore } from "./ledger/backup.ts";
import { rebuild } from "./ledger/store-rebuild.ts";
import { dataFiles } from "./start.ts";
import { version } from "./version.ts";

/** What a person has to be told of what was done, line by line. */
type Report = Result<readonly string[]>;

/** Makes every record of the ledger again from its log. Errors: `already-running`, and those of {@link rebuild}. */
export function rebuildLedger({ dataDir }: Config): Promise<Report> {
  return locked(dataDir, () => {
    const rebuilt = rebuild(join(dataDir, dataFiles.ledger));
    if (!rebuilt.ok) return rebuilt;
    const { events, records, mended } = rebuilt.value;
    const counts = Object.entries(records).map(([table, count]) => `${count} ${table}`);
    return ok([
      `folded ${events} events into ${counts.join(", ")}`,
      mended.length === 0 ? "every record was as the log says" : `mended ${mended.join(", ")}`,
    ]);
  });
}

/** Backs the ledger up into one file, also while a control plane works on it. */
export async function backUpLedger({ dataDir }: Config, file: string, at: string): Promise<Report> {
  const done = await backUp(join(dataDir, dataFiles.ledger), resolve(file), { at, version });
  if (!done.ok) return done;
  const { events, artifacts } = done.value;
  const bytes = artifacts.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  return ok([
    `backed up ${events} events into ${file}, and verified them`,
    `it needs ${artifacts.length} artifacts (${bytes} bytes) of ${join(dataDir, dataFiles.artifacts)}, which are not in it`,
  ]);
}

/** Puts a backup in place of the ledger. Errors: `already-running`, and those of {@link restore}. */
export function restoreLedger(
  { dataDir, limits }: Config,
  file: string,
  options: { readonly force: boolean; readonly at: string },
): Promise<Report> {
  return locked(dataDir, async () => {
    const done = await restore(resolve(file), join(dataDir, dataFiles.ledger), options);
    if (!done.ok) return done;
    const { manifest, aside } = done.value;
    const store = new ArtifactStore(join(dataDir, dataFiles.artifacts), limits.artifactBytes);
    return ok([
      `restored ${manifest.events} events, as they were at ${manifest.at}`,
      ...(aside === null ? [] : [`the ledger that was there is kept as ${aside}`]),
      ...(await missing(manifest, store)),
    ]);
  });
}

async function missing({ artifacts }: Manifest, store: ArtifactStore): Promise<readonly string[]> {
  const sizes = await Promise.all(artifacts.map(({ digest }) => store.sizeOf(digest as Digest)));
  const absent = artifacts.filter(({ sizeBytes }, index) => sizes[index] !== sizeBytes);
  if (absent.length === 0) return [`all ${artifacts.length} artifacts are there`];
  const named = absent.map(({ digest }) => `  ${digest}`);
  return [`${absent.length} of ${artifacts.length} artifacts are missing; upload them again:`, ...named];
}

/** Nobody else works with the data directory meanwhile. */
async function locked(dataDir: string, work: () => Report | Promise<Report>): Promise<Report> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = takeLock(join(dataDir, dataFiles.lock));
  if (!lock.ok) return lock;
  try {
    return await work();
  } finally {
    lock.value();
  }
}
