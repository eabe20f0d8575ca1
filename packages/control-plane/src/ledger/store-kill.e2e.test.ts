import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { openLedger } from "./store.ts";
import { rebuild } from "./store-rebuild.ts";

/** Commits without end and says each sequence once it is durable. */
const writer = `
  import { openLedger } from ${JSON.stringify(new URL("./store.ts", import.meta.url).href)};
  const ledger = openLedger(process.argv[1], { monotonicMs: () => performance.now(), wallMs: () => Date.now() }).value;
  for (let count = 1; ; count += 1) {
    const digest = "sha256:" + String(count).padStart(64, "0");
    const body = { type: "artifact-registered", digest, sizeBytes: count };
    const started = { type: "control-plane-started", epoch: count, controlPlaneId: "cp", version: "0" };
    const done = ledger.commit(ledger.state.sequence, [started, body], "writer");
    if (!done.ok) throw done.error;
    process.stdout.write(ledger.state.sequence + "\\n");
  }`;

test("killed at any instant, the ledger holds whole commits: all that were told of, and their records", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "ledger-")), "ledger.db");
  for (const said of [1, 20, 50]) {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", writer, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const told = await killAfter(child, said);
    const opened = openLedger(file, { monotonicMs: () => 0, wallMs: () => 0 });
    if (!opened.ok) throw new Error(opened.error.message);
    const { state } = opened.value;
    opened.value.close();
    expect(state.sequence).toBeGreaterThanOrEqual(told);
    expect(state.sequence % 2).toBe(0);
    expect(rebuild(file)).toMatchObject({ ok: true, value: { events: state.sequence, mended: [] } });
  }
});

/** Kills the writer when it has said so many commits; gives the last one that was heard of. */
async function killAfter(child: ReturnType<typeof spawn>, commits: number): Promise<number> {
  if (!child.stdout) throw new Error("the writer has no output");
  const lines = createInterface(child.stdout);
  let heard = 0;
  let last = 0;
  lines.on("line", (line) => {
    last = Number(line);
    heard += 1;
    if (heard === commits) child.kill("SIGKILL");
  });
  await once(lines, "close");
  if (heard < commits) throw new Error("the writer ended early");
  return last;
}
