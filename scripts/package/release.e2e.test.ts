import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packRelease } from "./release.ts";

let folder: string;
let unpacked: string;
let first: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "siding-release-"));
  first = (await packRelease(join(folder, "first"))).file;
  unpacked = join(folder, "unpacked");
  mkdirSync(unpacked);
  execFileSync("tar", ["-xzf", first, "--strip-components=1", "-C", unpacked]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the same sources make the same bytes", async () => {
  const second = await packRelease(join(folder, "second"));
  expect(readFileSync(second.file).equals(readFileSync(first))).toBe(true);
});

test("both programs run from it, with the Node and the native code inside", () => {
  const run = (program: string, ...args: string[]) =>
    execFileSync(join(unpacked, "bin/node"), [join(unpacked, "lib", program), ...args], {
      encoding: "utf8",
      env: {},
      cwd: folder,
    });
  const config = join(folder, "control-plane.yaml");
  writeFileSync(config, `dataDir: ${join(folder, "data")}\n`);
  expect(run("siding-control-plane.mjs", "--config", config, "rebuild")).toContain("folded 0 events");
  writeFileSync(join(folder, "token"), "a-token-for-tests");
  const agent = join(folder, "agent.yaml");
  const urls = `nats: { url: "nats://127.0.0.1:1" }\ncontrolPlane: { url: "http://127.0.0.1:1" }`;
  writeFileSync(
    agent,
    `hostId: h1\naddress: 127.0.0.1\nroles: [host]\ntokenFile: ${folder}/token\n${urls}\n`,
  );
  expect(run("siding-agent.mjs", "--config", agent, "--check")).toBe("");
  expect(JSON.parse(run("inventory.main.mjs"))).toMatchObject({ arch: expect.any(String) as string });
});

test("the installer says what it can do, and what it can't take", () => {
  const installer = join(unpacked, "install.sh");
  expect(execFileSync("sh", [installer, "--help"], { encoding: "utf8" })).toContain("--upgrade");
  expect(() => execFileSync("sh", [installer, "browser"], { stdio: "pipe" })).toThrow(
    "there is no role 'browser'",
  );
  expect(() => execFileSync("sh", [installer, "agent", "--listen", "x"], { stdio: "pipe" })).toThrow(
    "'--listen' is no option of agent",
  );
});
