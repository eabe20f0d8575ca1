import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "./child.ts";

const FOLDER = join(ROOT, "deploy/systemd");

/** What systemd-analyze may find at most, of 10. */
const MOST_EXPOSED = {
  "siding-agent.service": 5.0,
  "siding-edge.service": 2.5,
  "siding-control-plane.service": 2.5,
};

const canAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0;

describe.each(Object.entries(MOST_EXPOSED))("%s", (unit, mostExposed) => {
  const text = readFileSync(join(FOLDER, unit), "utf8");

  it.skipIf(!canAnalyze)(`has an exposure of at most ${mostExposed}`, () => {
    const { stdout } = spawnSync(
      "systemd-analyze",
      ["security", "--offline=true", "--no-pager", join(FOLDER, unit)],
      { encoding: "utf8", env: { ...process.env, SYSTEMD_COLORS: "0" } },
    );
    const exposure = Number(/Overall exposure level for \S+ (\d+\.\d)/.exec(stdout)?.[1]);
    expect(exposure, stdout).toBeLessThanOrEqual(mostExposed);
    expect(exposure).toBeGreaterThan(0);
  });

  it("can run Node: it compiles at run time, and calls pkey_*", () => {
    expect(text).not.toMatch(/^MemoryDenyWriteExecute=/m);
    expect(text).toMatch(/^SystemCallFilter=.* pkey_alloc pkey_mprotect pkey_free/m);
  });

  it("ends nothing but its main process, and restarts what hangs", () => {
    expect(text).toMatch(/^KillMode=process$/m);
    expect(text).toMatch(/^Type=notify$/m);
    expect(text).toMatch(/^WatchdogSec=\d+$/m);
    expect(text).toMatch(/^Restart=always$/m);
  });
});
