import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Digest } from "@siding/shared/ids";
import { err, failure, ok, type Result } from "@siding/shared/result";
import { ArtifactStore } from "./artifacts/store.ts";
import type { Config } from "./config.ts";
import { takeLock } from "./data-dir/lock.ts";
import { backUp, type Manifest } from "./ledger/backup.ts";
import { finishRestore, isRestorePending, orderRestore } from "./ledger/restore.ts";
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

/**
 * Puts a backup in place of the ledger, also while a control plane works on it: that one is at the restored ledger a
 * moment later. Errors: `already-running` (another restore), `restore-not-taken`, and those of {@link orderRestore}.
 */
export async function restoreLedger({ dataDir, limits }: Config, file: string, at: string): Promise<Report> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const ledger = join(dataDir, dataFiles.ledger);
  const lock = takeLock(join(dataDir, dataFiles.restoreLock), "restore");
  if (!lock.ok) return lock;
  try {
    const hadLedger = existsSync(ledger);
    const ordered = await orderRestore(resolve(file), ledger, at);
    if (!ordered.ok) return ordered;
    const taken = await untilTaken(dataDir, ledger);
    if (!taken.ok) return taken;
    const { events, aside, ...manifest } = ordered.value;
    const store = new ArtifactStore(join(dataDir, dataFiles.artifacts), limits.artifactBytes);
    return ok([
      `restored ${events} events, as they were at ${manifest.at}`,
      ...(hadLedger ? [`the ledger that was there is kept as ${aside}; restoring that undoes this`] : []),
      taken.value,
      ...(await missing(manifest, store)),
    ]);
  } finally {
    lock.value();
  }
}

/** A control plane ends its work in order before it takes the restored ledger: its own limit is 10 s. */
const takenDeadlineMs = 60_000;
const lookEveryMs = 50;

/** Whoever holds the data directory carries the order out; where nobody does, we do. */
async function untilTaken(dataDir: string, ledger: string): Promise<Result<string>> {
  const deadlineMs = performance.now() + takenDeadlineMs;
  while (isRestorePending(ledger)) {
    const finished = await locked(dataDir, () => ok([]));
    if (finished.ok) return ok("no control plane runs; the next start works with this ledger");
    if (finished.error.code !== "already-running") return finished;
    if (performance.now() > deadlineMs) {
      const advice = `restart it, and it will; to call it off, delete ${ledger}.pending`;
      return err(
        failure("restore-not-taken", `${finished.error.message}, and does not take the backup: ${advice}`),
      );
    }
    await sleep(lookEveryMs);
  }
  return ok(await readyAgain(dataDir));
}

/** A start takes a second or two; one that waits for NATS has taken the ledger all the same. */
const readyDeadlineMs = 15_000;

async function readyAgain(dataDir: string): Promise<string> {
  const deadlineMs = performance.now() + readyDeadlineMs;
  // Removed by each start before it takes the ledger.
  while (!existsSync(join(dataDir, dataFiles.endpoints))) {
    if (performance.now() > deadlineMs) {
      return "the control plane that runs has taken it, and is not ready yet: GET /readyz and its log say why";
    }
    await sleep(lookEveryMs);
  }
  return "the control plane that runs has taken it, and is ready";
}

async function missing(
  { artifacts }: Pick<Manifest, "artifacts">,
  store: ArtifactStore,
): Promise<readonly string[]> {
  const sizes = await Promise.all(artifacts.map(({ digest }) => store.sizeOf(digest as Digest)));
  const absent = artifacts.filter(({ sizeBytes }, index) => sizes[index] !== sizeBytes);
  if (absent.length === 0) return [`all ${artifacts.length} artifacts are there`];
  const named = absent.map(({ digest }) => `  ${digest}`);
  return [`${absent.length} of ${artifacts.length} artifacts are missing; upload them again:`, ...named];
}

/** Nobody else works with the data directory meanwhile, and what was ordered for it is carried out first. */
async function locked(dataDir: string, work: () => Report | Promise<Report>): Promise<Report> {
  const lock = holdDataDir(dataDir);
  if (!lock.ok) return lock;
  try {
    const restored = finishRestore(join(dataDir, dataFiles.ledger));
    return restored.ok ? await work() : restored;
  } finally {
    lock.value();
  }
}

/** Takes the data directory for this process alone. Errors: `already-running`. */
export function holdDataDir(dataDir: string): Result<() => void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return takeLock(join(dataDir, dataFiles.lock));
}
