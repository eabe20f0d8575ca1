import type { KnipConfig } from "knip";

/** Programs: started by path, imported by nobody. */
const programs = ["src/**/main.ts", "src/**/*.main.ts"];

const config: KnipConfig = {
  // Every file is reachable through a package's "./*" export; without this no export would ever count as unused.
  includeEntryExports: true,
  workspaces: {
    ".": {
      entry: ["scripts/{demo,test,check,bench}.ts", "scripts/setup.mjs"],
      project: ["scripts/**/*.{ts,mjs}", "checks/**/*.ts"],
      // Started by name in scripts/checks.ts.
      ignoreDependencies: ["dependency-cruiser", "oxlint", "oxlint-tsgolint"],
    },
    "packages/*": { entry: programs, project: "src/**/*.ts", ignoreBinaries: ["mount", "umount"] },
    bench: { entry: "*.ts", project: "**/*.ts" },
  },
};

export default config;
