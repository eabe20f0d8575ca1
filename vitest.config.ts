import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const folders = ["packages", "scripts", "checks", "bench"];
const inFolders = (name: string) => folders.map((folder) => `${folder}/**/${name}`);
const e2e = inFolders("*.e2e.test.ts");
/** They look for ports where clients of others take theirs, and pin down what nginx does within milliseconds. */
const agents = ["packages/agent/**/*.e2e.test.ts"];
/** Each is seven machines, which wait for each other half of the time: two at once. */
const labs = ["packages/playground/src/lab/*.e2e.test.ts"];

/** It waits for a minute: begun last, everybody would wait with it. */
const waiting = "nats-gone.e2e.test.ts";

class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const [first, others] = [sorted.filter(waits), sorted.filter((file) => !waits(file))];
    return [...first, ...others];
  }
}

function waits({ moduleId }: TestSpecification): boolean {
  return moduleId.endsWith(waiting);
}

/** Of real nginx, NATS and services on two cores. */
const realProcesses = {
  environment: "node",
  globalSetup: "scripts/vitest-programs.ts",
  testTimeout: 120_000,
  hookTimeout: 120_000,
} as const;

export default defineConfig({
  test: {
    globalSetup: "scripts/vitest-folder.ts",
    sequence: { sequencer: WaitingFirst },
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: inFolders("*.test.ts"),
          exclude: ["**/node_modules/**", ...e2e],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          // They only compute; by itself vitest leaves one processor idle.
          maxWorkers: "100%",
        },
      },
      {
        test: {
          ...realProcesses,
          name: "e2e",
          include: e2e,
          exclude: ["**/node_modules/**", ...agents, ...labs],
          // A part of their time they wait: for a boot, a deadline, a beat. More at once would starve each other.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...realProcesses,
          name: "e2e-lab",
          include: labs,
          exclude: ["**/node_modules/**"],
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...realProcesses,
          name: "e2e-agent",
          include: agents,
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
