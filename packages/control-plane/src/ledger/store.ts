import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";
import Database from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { LedgerClock, type TimeSource } from "./clock.ts";
import { type EventBody, firstSequence, isFoundOutAgain, type LedgerEvent } from "./event.ts";
import { fold } from "./fold.ts";
import { LogSync } from "./log-sync.ts";
import { migrate } from "./migrations.ts";
import type { LedgerState, Touched } from "./state.ts";
import { type EventQuery, EventReader, type LedgerDatabase, loadState, RowWriter } from "./store-rows.ts";

/** Somebody else with the file open (a backup, a person's sqlite3) holds a commit up at most this long. */
const busyTimeoutMs = 1_000;

/** What commits have appended, and the records that they replaced or removed. */
interface Gathered {
  readonly events: LedgerEvent[];
  readonly touched: Map<string, Touched>;
}

type CommitListener = (events: readonly LedgerEvent[], durationMs: number) => void;

/**
 * The one place where anything changes: {@link Ledger.commit}. The state in memory is always what the log says; nothing
 * leaves this process (a command, an answer) before its commit is durable. A commit that only says what agents would
 * say again after a power cut is written and no more: the next one makes it durable, too.
 */
export class Ledger {
  readonly clock: LedgerClock;
  readonly #database: LedgerDatabase;
  readonly #writer: RowWriter;
  readonly #reader: EventReader;
  readonly #log: LogSync;
  readonly #listeners = new Set<CommitListener>();
  readonly #time: TimeSource;
  #state: LedgerState;
  /** What is not yet durable, while {@link Ledger.together} is at work. */
  #gathered: Gathered | null = null;

  constructor(database: LedgerDatabase, state: LedgerState, time: TimeSource) {
    this.#database = database;
    this.#writer = new RowWriter(database);
    this.#reader = new EventReader(database);
    this.#log = new LogSync(database.$client);
    this.#time = time;
    this.#state = state;
    this.clock = new LedgerClock(time, state.elapsedMs);
  }

  /** Belongs to the ledger: read it at once, keep records of it at will, never the maps. */
  get state(): LedgerState {
    return this.#state;
  }

  /**
   * Appends events and folds them, in one transaction, or changes nothing. `expected` is the sequence that the caller
   * decided on. Errors: `stale` (somebody committed since), `storage-failed` (disk full, I/O error, file locked).
   */
  commit(expected: number, bodies: readonly EventBody[], by: string): Result<readonly LedgerEvent[]> {
    const gathered = this.#gathered;
    if (gathered === null) return this.together(() => this.commit(expected, bodies, by));
    if (expected !== this.#state.sequence) {
      return err(failure("stale", `decided at ${expected}, the log is at ${this.#state.sequence}`));
    }
    if (bodies.length === 0) return ok([]);
    const first = firstSequence(expected, bodies);
    const at = this.clock.at();
    const elapsedMs = this.clock.nowMs();
    const events = bodies.map((body, index) => ({ sequence: first + index, at, elapsedMs, by, body }));
    this.#begin();
    gathered.events.push(...events);
    for (const touched of events.flatMap((event) => fold(this.#state, event))) {
      gathered.touched.set(`${touched.table} ${touched.key}`, touched);
    }
    this.#writer.append(events);
    return ok(events);
  }

  /**
   * Makes all commits of `work` durable by one write to the disk; or none of them, where `work` gives an error or
   * throws, or the disk does. Nothing of them may leave this process before it has returned. Errors: those of `work`,
   * and `storage-failed`.
   */
  together<T>(work: () => Result<T>): Result<T> {
    const { $client: client } = this.#database;
    const gathered: Gathered = { events: [], touched: new Map() };
    this.#gathered = gathered;
    try {
      const done = work();
      if (!done.ok) this.#undo(gathered.events);
      if (client.inTransaction) this.#flush(gathered);
      return done;
    } catch (cause) {
      this.#undo(gathered.events);
      if (cause instanceof Database.SqliteError) return err(storageFailed(client.name, cause));
      throw cause;
    } finally {
      this.#gathered = null;
    }
  }

  /** Tries whether a commit could be written at present, without one. Errors: `storage-failed`. */
  probe(): Result<void> {
    return this.together(() => {
      this.#begin();
      return ok(undefined);
    });
  }

  #begin(): void {
    const { $client: client } = this.#database;
    if (!client.inTransaction) client.exec("BEGIN IMMEDIATE");
  }

  /** A round commits several times, and a record of a large fleet is large: each is stored once, as it is in the end. */
  #flush({ events, touched }: Gathered): void {
    const startedMs = this.#time.monotonicMs();
    this.#writer.store(this.#state, touched.values());
    this.#database.$client.exec("COMMIT");
    const needsNoSync = events.length > 0 && events.every(isFoundOutAgain);
    if (!needsNoSync) this.#log.sync();
    const durationMs = this.#time.monotonicMs() - startedMs;
    if (events.length === 0) return;
    for (const listener of this.#listeners) listener(events, durationMs);
  }

  #undo(gathered: readonly LedgerEvent[]): void {
    const { $client: client } = this.#database;
    if (client.inTransaction) client.exec("ROLLBACK");
    // The fold has run ahead of the disk: what the tables say is the truth.
    if (gathered.length > 0) this.#state = orThrow(loadState(this.#database));
  }

  events(query: EventQuery): Result<readonly LedgerEvent[]> {
    return this.#reader.read(query);
  }

  /** Tells of each commit after it is durable. Returns what ends it. */
  onCommit(listener: CommitListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What the log and its records take up, less what is not yet moved out of the write-ahead log. */
  sizeBytes(): number {
    const { $client: client } = this.#database;
    const page = (name: string) => Number(client.pragma(name, { simple: true }));
    return page("page_count") * page("page_size");
  }

  close(): void {
    this.#log.close();
    this.#database.$client.close();
  }
}

function storageFailed(file: string, cause: Error & { code: string }): Failure {
  return failure(
    "storage-failed",
    `the ledger ${file} could not be written: ${cause.message} (${cause.code})`,
    cause,
  );
}

/** Where the tables can't be read back, there is nothing true left to go on with: the process ends. */
function orThrow(state: Result<LedgerState>): LedgerState {
  if (state.ok) return state.value;
  throw new Error(state.error.message, { cause: state.error });
}

/**
 * Opens the file, creating it where there is none, and brings it to the newest version. Errors: those of
 * {@link migrate}, and `ledger-unreadable`.
 */
export function openDatabase(file: string): Result<LedgerDatabase> {
  let client: Database.Database | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    client = new Database(file, { timeout: busyTimeoutMs });
    // Reading a backup off it does not stop us.
    const mode = String(client.pragma("journal_mode = WAL", { simple: true }));
    if (mode !== "wal") {
      throw new Error(`its file system can't hold a write-ahead log (SQLite stays with '${mode}')`);
    }
    // FULL: what was written survives a power cut.
    for (const pragma of ["synchronous = FULL", "foreign_keys = ON"]) client.pragma(pragma);
    const migrated = migrate(client, file);
    if (migrated.ok) return ok(drizzle({ client }));
    client.close();
    return migrated;
  } catch (cause) {
    client?.close();
    return err(
      failure("ledger-unreadable", `${file} can't be opened as a ledger: ${messageOf(cause)}`, cause),
    );
  }
}

/** Opens the ledger for work. Errors: those of {@link openDatabase} and {@link loadState}. */
export function openLedger(file: string, time: TimeSource): Result<Ledger> {
  const database = openDatabase(file);
  if (!database.ok) return database;
  const state = loadState(database.value);
  if (state.ok) return ok(new Ledger(database.value, state.value, time));
  database.value.$client.close();
  const advice = "'main.ts --config FILE rebuild' makes the records again from the log";
  return err(failure(state.error.code, `${file}: ${state.error.message}; ${advice}`, state.error.cause));
}
