import { defineConfig } from "vitest/config";

const folders = ["packages", "scripts", "checks", "bench"];
const inFolders = (name: string) => folders.map((folder) => `${folder}/**/${name}`);
const e2e = inFolders("*.e2e.test.ts");

export default defineConfig({
  test: {
    globalSetup: "scripts/vitest-folder.ts",
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: inFolders("*.test.ts"),
          exclude: ["**/node_modules/**", ...e2e],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "e2e",
          environment: "node",
          include: e2e,
          exclude: ["**/node_modules/**"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Real nginx, NATS and services on two cores: side by side they would only slow and starve each other.
          fileParallelism: false,
        },
      },
    ],
  },
});
