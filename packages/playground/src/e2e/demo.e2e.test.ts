import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { processesHolding } from "../processes/holders.ts";
import { until } from "../until.ts";

const DEMO = join(import.meta.dirname, "../demo/main.ts");

const Result = z.strictObject({
  requests: z.int().min(400),
  failed: z.literal(0),
  reloads: z.int().min(1),
  batches: z.int(),
  rolloutMs: z.number().min(1),
  from: z.literal("v1"),
  to: z.literal("v2"),
});

const Kept = z.strictObject({
  api: z.url(),
  token: z.string().min(16),
  edge: z.url(),
  dashboard: z.url(),
  service: z.literal("web"),
  versions: z.tuple([z.literal("v1"), z.literal("v2"), z.literal("broken")]),
});

function startDemo(...args: string[]) {
  const child = spawn(process.execPath, [DEMO, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    said.out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    said.err += String(chunk);
  });
  const exited = once(child, "close").then(([code]: unknown[]) => code);
  return { child, said, exited };
}

/** The folder that the demo says it works in is gone, and nobody works in it. */
function expectNothingLeft(stderr: string): void {
  const folder = / in (\S+)$/m.exec(stderr)?.[1];
  expect(folder).toBeDefined();
  expect(processesHolding(folder ?? "")).toEqual([]);
}

test("--json: exactly one line on stdout, progress and own time on stderr, nothing left", async () => {
  const { said, exited } = startDemo("--json", "--strategy", '{"kind":"rolling","batchSize":2}');
  expect(await exited, said.err).toBe(0);
  expect(said.out.trimEnd().split("\n")).toHaveLength(1);
  expect(Result.parse(JSON.parse(said.out))).toMatchObject({ batches: 2 });
  // Below zero where the longest of each part were different hosts'.
  expect(said.err).toMatch(/batch 2 .* own -?\d+ ms/);
  expectNothingLeft(said.err);
});

test("--keep --json: one line once ready, v1 serves, and SIGTERM ends it in order", async () => {
  const { child, said, exited } = startDemo("--keep", "--json", "--hosts", "2");
  await until("the line", () => said.out.endsWith("\n"), 30_000);
  const kept = Kept.parse(JSON.parse(said.out));
  expect((await fetch(kept.edge)).headers.get("x-version")).toBe("v1");
  const fleet = await fetch(`${kept.api}/v1/fleet`, { headers: { authorization: `Bearer ${kept.token}` } });
  expect(fleet.status).toBe(200);
  child.kill("SIGTERM");
  expect(await exited, said.err).toBe(0);
  expect(said.out.trimEnd().split("\n")).toHaveLength(1);
  expectNothingLeft(said.err);
});

test("SIGINT in the middle of the start, twice, leaves nothing", async () => {
  const { child, said, exited } = startDemo();
  await until("the first word", () => said.err.includes("starting"), 30_000);
  child.kill("SIGINT");
  child.kill("SIGINT");
  expect(await exited, said.err).toBe(130);
  expectNothingLeft(said.err);
});

test("--edge-mode include: the front itself lists the hosts and is reloaded, and nothing is lost", async () => {
  const { said, exited } = startDemo("--json", "--edge-mode", "include", "--strategy", '{"kind":"in-place"}');
  expect(await exited, said.err).toBe(0);
  expect(Result.parse(JSON.parse(said.out))).toMatchObject({ batches: 2, reloads: 3 });
  expectNothingLeft(said.err);
});
