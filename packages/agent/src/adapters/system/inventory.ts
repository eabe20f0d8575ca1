import { execFile } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Inventory } from "@siding/shared/report";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";

/** In a release the programs are bundles side by side, with another ending than their sources. */
const program = fileURLToPath(new URL(`./inventory.main${extname(import.meta.url)}`, import.meta.url));
const deadlineMs = 20_000;

/** Looks the machine over in a process of its own. Errors: `inventory-failed`; nothing depends on it. */
export async function takeInventory(): Promise<Result<Inventory>> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: deadlineMs });
    return ok(Inventory.parse(JSON.parse(stdout)));
  } catch (cause) {
    return err(failure("inventory-failed", messageOf(cause), cause));
  }
}
