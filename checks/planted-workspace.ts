import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pinnedEnvironment, ROOT } from "../scripts/child.ts";
import type { Plant } from "./plants.ts";

/** The real configuration of every checker. */
const CONFIGURATION = [
  "dependency-cruiser.config.ts",
  ".gitignore",
  ".oxlintrc.json",
  "biome.json",
  "checks/pure.grit",
  "knip.config.ts",
  "packages/dashboard/tsconfig.json",
  "pnpm-workspace.yaml",
  "tsconfig.json",
];

/** Packages and what they may name of each other, generously: what they may import is for the checkers to say. */
const MEMBERS = [
  "packages/shared",
  "packages/control-plane",
  "packages/agent",
  "packages/simulator",
  "packages/playground",
  "packages/dashboard",
  "bench",
];

/** Code that breaks no rule, and that nothing is unused of. */
const CLEAN: Record<string, string> = {
  "packages/shared/src/ids.ts": `export type HostId = string;\n\nexport const noHost: HostId = "";\n`,
  "packages/control-plane/src/main.ts": `import { pageFiles } from "@siding/dashboard/files";
import { noHost } from "@siding/shared/ids";
import { plan } from "./rollout/plan.ts";

process.stdout.write(plan(noHost) + pageFiles().join());
`,
  "packages/control-plane/src/rollout/plan.ts": `import type { HostId } from "@siding/shared/ids";

export function plan(host: HostId): string {
  return \`out with \${host}\`;
}
`,
  "packages/agent/src/main.ts": `import { listen } from "./adapters/socket.ts";
import { step } from "./machine/step.ts";

listen(step);
`,
  "packages/agent/src/machine/step.ts": `export function step(state: "idle" | "busy"): number {
  switch (state) {
    case "idle":
      return 0;
    case "busy":
      return 1;
  }
}
`,
  "packages/agent/src/adapters/socket.ts": `export function listen(onState: (state: "idle") => number): void {
  process.exitCode = onState("idle");
}
`,
  "packages/simulator/src/main.ts": `import { step } from "@siding/agent/machine/step";
import { plan } from "@siding/control-plane/rollout/plan";

process.stdout.write(plan(String(step("busy"))));
`,
  "packages/playground/src/main.ts": `import { noHost } from "@siding/shared/ids";

process.stdout.write(noHost);
`,
  "packages/dashboard/src/files.ts": `export function pageFiles(): readonly string[] {
  return ["main.js"];
}
`,
  "packages/dashboard/src/page/main.js": `document.title = "Siding";\n`,
  "bench/idle.ts": `process.stdout.write("nothing to measure");\n`,
  "scripts/check.ts": `process.exitCode = 0;\n`,
};

/** A throw-away workspace with the real configuration, clean code and the given plants. The caller removes it. */
export function makeWorkspace(plants: readonly Plant[]): string {
  const folder = mkdtempSync(join(tmpdir(), "siding-planted-"));
  for (const file of CONFIGURATION) mkdirSync(dirname(join(folder, file)), { recursive: true });
  for (const file of CONFIGURATION) cpSync(join(ROOT, file), join(folder, file));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  write(folder, "package.json", manifest("siding", ["knip"]));
  for (const member of MEMBERS) addMember(folder, member);
  for (const [file, text] of Object.entries(CLEAN)) write(folder, file, text);
  for (const plant of plants) {
    for (const [file, text] of Object.entries(plant.files)) write(folder, file, text);
  }
  return folder;
}

/** Runs a checker as `pnpm check` does, but in the given workspace. */
export function run(
  folder: string,
  [tool = "", ...args]: readonly string[],
): Promise<{ code: number; output: string }> {
  const env = { ...pinnedEnvironment(), NO_COLOR: "1" };
  const child = spawn(join(ROOT, "node_modules/.bin", tool), args, { cwd: folder, env });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString("utf8");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString("utf8");
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

function addMember(folder: string, member: string): void {
  const name = member.split("/").at(-1) ?? member;
  const neighbours = MEMBERS.filter((other) => other !== member && other !== "bench");
  write(folder, `${member}/package.json`, manifest(`@siding/${name}`, []));
  mkdirSync(join(folder, member, "node_modules/@siding"), { recursive: true });
  for (const other of neighbours) {
    symlinkSync(
      join(folder, other),
      join(folder, member, "node_modules/@siding", other.split("/").at(-1) ?? other),
    );
  }
}

function manifest(name: string, devDependencies: string[]): string {
  const content = {
    name,
    private: true,
    type: "module",
    exports: { "./*": "./src/*.ts" },
    ...(devDependencies.length === 0
      ? {}
      : { devDependencies: Object.fromEntries(devDependencies.map((dependency) => [dependency, "*"])) }),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function write(folder: string, file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}
