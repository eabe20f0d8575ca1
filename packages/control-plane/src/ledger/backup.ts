import { existsSync } from "node:fs";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { z } from "zod";
import { copyDatabase, moveDurably, removeDatabase, withDatabase } from "./database-file.ts";
import { loadState } from "./store-rows.ts";

/** What a backup says of itself, and which artifacts it needs besides: those are files of their own. */
export const Manifest = z.object({
  at: z.string(),
  version: z.string(),
  events: z.int(),
  artifacts: z.array(z.object({ digest: z.string(), sizeBytes: z.int() })),
});
export type Manifest = z.infer<typeof Manifest>;

/** Where it stands in the table `meta` of a backup. */
export const manifestKey = "backup";

/**
 * Copies a ledger into one file, verified, while a control plane works on it or not. Errors: `backup-exists`,
 * `backup-failed`, and those of reading a ledger.
 */
export async function backUp(
  ledgerFile: string,
  target: string,
  context: { readonly at: string; readonly version: string },
): Promise<Result<Manifest>> {
  if (existsSync(target))
    return err(failure("backup-exists", `${target} is there already; name another file`));
  if (!existsSync(ledgerFile))
    return err(failure("backup-failed", `there is no ledger at ${ledgerFile} yet`));
  const partial = `${target}.partial`;
  try {
    await copyDatabase(ledgerFile, partial);
    const manifest = signOff(partial, context);
    if (manifest.ok) moveDurably(partial, target);
    return manifest;
  } catch (cause) {
    return err(failure("backup-failed", `no backup was made: ${messageOf(cause)}`, cause));
  } finally {
    removeDatabase(partial);
  }
}

/** Verifies the copy and writes into it what it is. */
function signOff(
  file: string,
  { at, version }: { readonly at: string; readonly version: string },
): Result<Manifest> {
  return withDatabase(file, (database) => {
    const state = loadState(database);
    if (!state.ok) return state;
    const artifacts = [...state.value.artifacts.values()];
    const manifest = { at, version, events: state.value.sequence, artifacts };
    database.$client
      .prepare("INSERT INTO meta (key, body) VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body")
      .run(manifestKey, JSON.stringify(manifest));
    return ok(manifest);
  });
}
