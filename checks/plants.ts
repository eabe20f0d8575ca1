/** A violation: the files that hold it, and what the checker must say (`finding`) about which place (`file`). */
export type Plant = {
  readonly finding: string;
  readonly file: string;
  readonly files: Readonly<Record<string, string>>;
};

const CONTROL_PLANE = "packages/control-plane/src";
const AGENT = "packages/agent/src";

/** A violation that one file holds by itself. */
function inFile(file: string, finding: string, text: string): Plant {
  return { finding, file, files: { [file]: text } };
}

/** A boundary broken by one import. */
function imports(rule: string, file: string, target: string, more: Record<string, string> = {}): Plant {
  return { finding: rule, file, files: { [file]: `import "${target}";\n`, ...more } };
}

export const FORMAT_PLANTS: readonly Plant[] = [
  inFile("packages/shared/src/spaced.ts", "format", "export const  spaced   = 'single'\n"),
  inFile(
    "packages/shared/src/unordered.ts",
    "organizeImports",
    `import { type HostId, noHost } from "./ids.ts";
import { spaced } from "./a.ts";

export const pair: [HostId, string] = [noHost, spaced];
`,
  ),
];

/** Reads a banned global at the top of a file in a pure folder. */
function banned(file: string, expression: string): Plant {
  return inFile(file, "noRestrictedGlobals", `export const impure = ${expression};\n`);
}

export const LINT_PLANTS: readonly Plant[] = [
  banned(`${CONTROL_PLANE}/rollout/clock.ts`, "Date.now()"),
  banned(`${CONTROL_PLANE}/preview/clock.ts`, "performance.now()"),
  banned(`${CONTROL_PLANE}/ledger/fold-rollouts.ts`, "new Date()"),
  banned(`${CONTROL_PLANE}/ledger/fold/rollouts.ts`, "process.pid"),
  banned(`${CONTROL_PLANE}/orchestrator/decide.ts`, "crypto.randomUUID()"),
  banned(`${AGENT}/machine/timer.ts`, "setTimeout(() => {}, 1)"),
  banned(`${AGENT}/machine/detour.ts`, "globalThis.Date.now()"),
  inFile(`${AGENT}/machine/dice.ts`, "plugin", "export const impure = Math.random();\n"),
  inFile(
    `${CONTROL_PLANE}/rollout/wait.ts`,
    "plugin",
    "export async function wait(other: Promise<number>) {\n  return (await other) + 1;\n}\n",
  ),
  inFile(`${CONTROL_PLANE}/fleet/env.ts`, "noProcessEnv", "export const home = process.env.HOME;\n"),
  inFile(
    `${CONTROL_PLANE}/http/any.ts`,
    "noExplicitAny",
    "export function loose(value: any): unknown {\n  return value;\n}\n",
  ),
  inFile(
    `${CONTROL_PLANE}/http/leak.ts`,
    "no-unsafe-member-access",
    "export const leak: unknown = JSON.parse('{}').host;\n",
  ),
  inFile(
    `${CONTROL_PLANE}/http/floating.ts`,
    "no-floating-promises",
    "export function fire(later: () => Promise<void>): void {\n  later();\n}\n",
  ),
  inFile(
    `${CONTROL_PLANE}/http/misused.ts`,
    "no-misused-promises",
    "export function all(later: () => Promise<void>): void {\n  [1].forEach(async () => await later());\n}\n",
  ),
  inFile(
    `${CONTROL_PLANE}/http/switch.ts`,
    "switch-exhaustiveness-check",
    `export function half(state: "idle" | "busy"): void {
  switch (state) {
    case "idle":
      process.exitCode = 1;
  }
}
`,
  ),
];

export const TYPE_PLANTS: readonly Plant[] = [
  inFile("packages/shared/src/wrong.ts", "TS2322", "export const wrong: number = 'text';\n"),
  inFile(
    "packages/shared/src/unchecked.ts",
    "TS2322",
    "export const first = (list: string[]): string => list[0];\n",
  ),
  inFile(
    "packages/shared/src/inexact.ts",
    "exactOptionalPropertyTypes",
    "export const inexact: { name?: string } = { name: undefined };\n",
  ),
  inFile("packages/shared/src/enum.ts", "erasableSyntaxOnly", "export enum Slot {\n  blue,\n}\n"),
  inFile(
    "packages/shared/src/type-import.ts",
    "verbatimModuleSyntax",
    `import { HostId } from "./ids.ts";\n\nexport const host: HostId = "h1";\n`,
  ),
  inFile("packages/dashboard/src/page/wrong.js", "TS2322", "document.title = 1;\n"),
];

export const BOUNDARY_PLANTS: readonly Plant[] = [
  {
    finding: "no-cycles",
    file: "packages/shared/src/left.ts",
    files: {
      "packages/shared/src/left.ts": `import "./right.ts";\n`,
      "packages/shared/src/right.ts": `import "./left.ts";\n`,
    },
  },
  imports("everything-resolves", `${AGENT}/ports/lost.ts`, "./nowhere.ts"),
  imports("no-production-code-on-tests", `${AGENT}/ports/tested.ts`, "./journal.test.ts", {
    [`${AGENT}/ports/journal.test.ts`]: "export {};\n",
  }),
  imports("shared-stands-alone", "packages/shared/src/disk.ts", "node:fs"),
  imports("agent-not-to-control-plane", `${AGENT}/ports/both.ts`, "@siding/control-plane/rollout/plan"),
  imports(
    "agent-not-to-control-plane",
    `${AGENT}/ports/across.ts`,
    "../../../control-plane/src/rollout/plan.ts",
  ),
  imports("control-plane-not-to-agent", `${CONTROL_PLANE}/http/both.ts`, "@siding/agent/machine/step"),
  imports("control-plane-not-to-agent", `${CONTROL_PLANE}/http/page.ts`, "@siding/dashboard/other", {
    "packages/dashboard/src/other.ts": "export {};\n",
  }),
  {
    finding: "control-plane-not-to-agent",
    file: `${CONTROL_PLANE}/http/only-a-type.ts`,
    files: {
      [`${CONTROL_PLANE}/http/only-a-type.ts`]: `import type { step } from "@siding/agent/machine/step";\n\nexport type Step = typeof step;\n`,
    },
  },
  imports(
    "simulator-needs-no-outside-world",
    "packages/simulator/src/real.ts",
    "@siding/control-plane/http/app",
    {
      [`${CONTROL_PLANE}/http/app.ts`]: "export {};\n",
    },
  ),
  imports(
    "playground-sees-no-inside",
    "packages/playground/src/peek.ts",
    "@siding/control-plane/rollout/plan",
  ),
  imports("bench-sees-no-inside", "bench/peek.ts", "@siding/agent/machine/step"),
  imports("rollout-is-pure", `${CONTROL_PLANE}/rollout/disk.ts`, "node:fs"),
  imports("rollout-is-pure", `${CONTROL_PLANE}/rollout/package.ts`, "vitest"),
  imports("preview-is-pure", `${CONTROL_PLANE}/preview/fleet.ts`, "../fleet/beats.ts", {
    [`${CONTROL_PLANE}/fleet/beats.ts`]: "export {};\n",
  }),
  imports("machine-is-pure", `${AGENT}/machine/journal.ts`, "../ports/journal.ts", {
    [`${AGENT}/ports/journal.ts`]: "export {};\n",
  }),
  imports("fold-and-orchestrator-core-touch-nothing", `${CONTROL_PLANE}/ledger/fold-hosts.ts`, "node:fs"),
  imports("fold-and-orchestrator-core-touch-nothing", `${CONTROL_PLANE}/orchestrator/decide.ts`, "node:fs"),
  imports("adapters-only-from-main", `${AGENT}/ports/shortcut.ts`, "../adapters/socket.ts"),
  imports("main-is-imported-by-nobody", `${AGENT}/ports/start.ts`, "../main.ts"),
  imports(
    "floor-preview-orchestrator-messaging-looks-down-only",
    `${CONTROL_PLANE}/messaging/up.ts`,
    "../http/app.ts",
  ),
  imports("floor-fleet-looks-down-only", `${CONTROL_PLANE}/fleet/up.ts`, "../messaging/up.ts"),
  imports("floor-ledger-looks-down-only", `${CONTROL_PLANE}/ledger/up.ts`, "../fleet/beats.ts"),
  imports("floor-rollout-looks-down-only", `${CONTROL_PLANE}/rollout/up.ts`, "../ledger/up.ts"),
];

export const UNUSED_PLANTS: readonly Plant[] = [
  {
    finding: "leftOver",
    file: `${CONTROL_PLANE}/rollout/spare.ts`,
    files: {
      [`${CONTROL_PLANE}/rollout/spare.ts`]: "export const used = 1;\nexport const leftOver = 2;\n",
      "scripts/spare.ts": "export {};\n",
    },
  },
  inFile("packages/shared/src/spare.ts", "spareType", "export type spareType = string;\n"),
  inFile("scripts/forgotten.ts", "scripts/forgotten.ts", "process.exitCode = 0;\n"),
];
