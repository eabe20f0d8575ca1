// A check that can't fail is worse than none. Each one gets a small workspace, a copy of this one's configuration, in
// which it must find nothing; then one with every violation it is there for, in which it must find each by name.

import { rmSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import boundaries from "../dependency-cruiser.config.ts";
import { CHECKS } from "../scripts/checks.ts";
import { makeWorkspace, run } from "./planted-workspace.ts";
import {
  BOUNDARY_PLANTS,
  FORMAT_PLANTS,
  LINT_PLANTS,
  type Plant,
  TYPE_PLANTS,
  UNUSED_PLANTS,
} from "./plants.ts";

const plantsOf: Record<string, readonly Plant[]> = {
  format: FORMAT_PLANTS,
  lint: LINT_PLANTS,
  types: TYPE_PLANTS,
  boundaries: BOUNDARY_PLANTS,
  unused: UNUSED_PLANTS,
};

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe.concurrent.each(CHECKS.map((check) => [check.name, check] as const))("check %s", (name, check) => {
  test("finds nothing in a clean workspace", async () => {
    const folder = workspaceWith([]);
    for (const command of check.tools) {
      const end = await run(folder, command);
      expect(end.code, end.output).toBe(0);
    }
  });

  test("finds every planted violation, by name and place", async () => {
    const plants = plantsOf[name] ?? [];
    const folder = workspaceWith(plants);
    const ends = await Promise.all(check.tools.map((command) => run(folder, command)));
    expect(ends.map((end) => end.code)).not.toContain(0);
    const lines = ends.flatMap((end) => end.output.split("\n"));
    const missed = plants.filter((plant) => !isReported(lines, plant));
    expect(missed.map((plant) => `${plant.finding} in ${plant.file}`)).toEqual([]);
    expect(plants).not.toHaveLength(0);
  });
});

test("every boundary has a planted violation", () => {
  const planted = new Set(BOUNDARY_PLANTS.map((plant) => plant.finding));
  const rules = boundaries.forbidden.map((rule) => rule.name);
  expect(rules.filter((rule) => rule === undefined || !planted.has(rule))).toEqual([]);
});

function workspaceWith(plants: readonly Plant[]): string {
  const folder = makeWorkspace(plants);
  folders.push(folder);
  return folder;
}

/** The finding on one line, and its place on the same or one of the next two: oxlint draws a frame between them. */
function isReported(lines: readonly string[], plant: Plant): boolean {
  return lines.some(
    (line, index) =>
      line.includes(plant.finding) && lines.slice(index, index + 3).some((near) => near.includes(plant.file)),
  );
}
