import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run, say } from "./child.mjs";
import { SetupError } from "./error.mjs";
import { ROOT } from "./root.mjs";

/** The pnpm that wrote pnpm-lock.yaml. By npx, because corepack refuses its signature on the machines we build on. */
const PNPM = "pnpm@12.21.0";

const BIN = join(ROOT, "node_modules/.bin");
const PINNED_NODE = join(BIN, "node");

/** Holds the digest of what was installed; UNFINISHED stands there while an install runs. */
const STAMP = join(ROOT, "node_modules/.siding-setup");
const UNFINISHED = "unfinished\n";

/** Whether everything that package.json files and lockfile ask for is installed, judged by the stamp: a few reads. */
export function isWorkspaceReady() {
  return existsSync(PINNED_NODE) && readStamp() === digestOfWanted();
}

/** @param {number} lock descriptor pnpm inherits, so that it can't outlive the lock if we are killed */
export async function installWorkspace(lock) {
  const wanted = digestOfWanted();
  if (readStamp() === UNFINISHED) removeInstalled();
  writeStamp(UNFINISHED);
  say("installing npm packages and the pinned Node");
  const args = ["--yes", PNPM, "install", "--frozen-lockfile"];
  const code = await run("npx", args, { env: cleanEnvironment(), keepOpen: lock, onStop: "terminate" });
  if (code !== 0) {
    // pnpm itself gave up, e.g. without a network: what it left is whole and the next run goes on from there.
    rmSync(STAMP, { force: true });
    throw new SetupError(
      "npm packages could not be installed (see above). If package.json was edited, " +
        `update the lockfile first: npx ${PNPM} install`,
    );
  }
  assertPinnedNodeRuns();
  writeStamp(wanted);
}

function readStamp() {
  try {
    return readFileSync(STAMP, "utf8");
  } catch {
    return undefined;
  }
}

/** @param {string} text */
function writeStamp(text) {
  mkdirSync(join(ROOT, "node_modules"), { recursive: true });
  writeFileSync(`${STAMP}.new`, text);
  renameSync(`${STAMP}.new`, STAMP);
}

function digestOfWanted() {
  const digest = createHash("sha256").update(`${PNPM} ${process.platform} ${process.arch}\n`);
  for (const file of ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ...memberManifests()]) {
    digest.update(`${file}\n`).update(readFileSync(join(ROOT, file)));
  }
  return `${digest.digest("hex")}\n`;
}

function memberManifests() {
  return memberFolders()
    .map((folder) => `${folder}/package.json`)
    .filter((file) => existsSync(join(ROOT, file)));
}

/** As in pnpm-workspace.yaml. */
function memberFolders() {
  const packages = readdirSync(join(ROOT, "packages")).sort();
  return [...packages.map((name) => `packages/${name}`), "bench"];
}

/** Cheaper than trusting a half-written tree: what was downloaded is still in pnpm's store. */
function removeInstalled() {
  say("the last install was cut short; starting it over");
  for (const folder of [".", ...memberFolders()]) {
    rmSync(join(ROOT, folder, "node_modules"), { recursive: true, force: true });
  }
}

/** Without our own .bin: the Node that installs must not be the one that is being replaced. npm must say why it fails. */
function cleanEnvironment() {
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== BIN);
  return { ...process.env, PATH: path.join(delimiter), npm_config_loglevel: "error", CI: "true" };
}

function assertPinnedNodeRuns() {
  if (spawnSync(PINNED_NODE, ["--version"]).status === 0) return;
  throw new SetupError(`the pinned Node does not run here: Siding is for Linux on x64 and arm64, with glibc`);
}
