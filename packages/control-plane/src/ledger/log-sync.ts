import { closeSync, fdatasyncSync, openSync } from "node:fs";
import type Database from "better-sqlite3";

/**
 * Makes what SQLite has written to its write-ahead log durable, for a connection that leaves that to us
 * (`synchronous = NORMAL`). Its own way, `FULL`, is `fsync` after every transaction: that also waits for what the file
 * system has to write down of other files, and for transactions that nobody needs to be durable.
 */
export class LogSync {
  readonly #client: Database.Database;
  #log: number | null = null;

  /** To be made once the database is in WAL mode. */
  constructor(client: Database.Database) {
    this.#client = client;
    client.pragma("synchronous = NORMAL");
  }

  /**
   * Returns when every transaction that has ended is durable. Throws where the disk can't do that: then nobody knows
   * what is, and only a fresh start can find out.
   */
  sync(): void {
    // SQLite makes the log with the first transaction, writes it over and over, and removes it when it is closed.
    this.#log ??= openSync(`${this.#client.name}-wal`, "r");
    fdatasyncSync(this.#log);
  }

  close(): void {
    if (this.#log !== null) closeSync(this.#log);
    this.#log = null;
  }
}
