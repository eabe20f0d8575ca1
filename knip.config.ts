import type { KnipConfig } from "knip";

/** Programs: started by path, imported by nobody. */
const programs = ["src/**/main.ts", "src/**/*.main.ts"];

/** Part of systemd; where it is missing, what needs them says so or is skipped. */
const systemdPrograms = ["systemctl", "journalctl", "systemd-analyze", "systemd-notify"];

const config: KnipConfig = {
  // Every file is reachable through a package's "./*" export; without this no export would ever count as unused.
  includeEntryExports: true,
  workspaces: {
    ".": {
      entry: ["scripts/{demo,test,check,bench,package}.ts", "scripts/setup.mjs"],
      project: ["scripts/**/*.{ts,mjs}", "checks/**/*.ts"],
      // Started by name in scripts/checks.ts.
      ignoreDependencies: ["dependency-cruiser", "oxlint", "oxlint-tsgolint"],
      ignoreBinaries: systemdPrograms,
    },
    "packages/*": { entry: programs, project: "src/**/*.ts", ignoreBinaries: systemdPrograms },
    bench: { entry: "*.ts", project: "**/*.ts" },
  },
};

export default config;
