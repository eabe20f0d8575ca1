import type { KnipConfig } from "knip";

/** Programs: started by path, imported by nobody. */
const programs = ["src/**/main.ts", "src/**/*.main.ts"];

/** Part of Debian; where one is missing, what needs it says so or is skipped. */
const systemPrograms = [
  "systemctl",
  "journalctl",
  "systemd-analyze",
  "systemd-notify",
  "unshare",
  "mount",
  "umount",
  "nginx",
];

const config: KnipConfig = {
  // Every file is reachable through a package's "./*" export; without this no export would ever count as unused.
  includeEntryExports: true,
  workspaces: {
    ".": {
      entry: ["scripts/{demo,test,check,bench,package}.ts", "scripts/setup.mjs"],
      project: ["scripts/**/*.{ts,mjs}", "checks/**/*.ts"],
      // Started by name in scripts/checks.ts.
      ignoreDependencies: ["dependency-cruiser", "oxlint", "oxlint-tsgolint"],
      ignoreBinaries: systemPrograms,
    },
    "packages/*": { entry: programs, project: "src/**/*.ts", ignoreBinaries: systemPrograms },
    bench: { entry: "*.ts", project: "**/*.ts", ignoreBinaries: ["openssl"] },
  },
};

export default config;
