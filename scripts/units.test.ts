import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
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

/** The parts of units that are there only where they are asked for, with the unit's own text before them. */
const DROP_INS = [{ unit: "siding-edge.service", dropIn: "siding-edge-include.conf", mostExposed: 3.0 }];

const canAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0;

describe.each(Object.entries(MOST_EXPOSED))("%s", (unit, mostExposed) => {
  const text = readFileSync(join(FOLDER, unit), "utf8");

  it.skipIf(!canAnalyze)(`has an exposure of at most ${mostExposed}`, () => {
    const { level, said } = exposureOf(join(FOLDER, unit));
    expect(level, said).toBeLessThanOrEqual(mostExposed);
    expect(level).toBeGreaterThan(0);
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

describe.each(DROP_INS)("$unit with $dropIn", ({ unit, dropIn, mostExposed }) => {
  it.skipIf(!canAnalyze)(`has an exposure of at most ${mostExposed}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "siding-units-"));
    try {
      const text = [unit, dropIn].map((file) => readFileSync(join(FOLDER, file), "utf8"));
      writeFileSync(join(folder, unit), text.join("\n"));
      const { level, said } = exposureOf(join(folder, unit));
      expect(level, said).toBeLessThanOrEqual(mostExposed);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function exposureOf(file: string): { readonly level: number; readonly said: string } {
  const { stdout } = spawnSync("systemd-analyze", ["security", "--offline=true", "--no-pager", file], {
    encoding: "utf8",
    env: { ...process.env, SYSTEMD_COLORS: "0" },
  });
  return { level: Number(/Overall exposure level for \S+ (\d+\.\d)/.exec(stdout)?.[1]), said: stdout };
}
