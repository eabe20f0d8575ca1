import { afterAll, beforeAll, beforeEach, onTestFailed } from "vitest";
import { expectNothingLostAt } from "../e2e/scene.ts";
import { Yard } from "../processes/yard.ts";
import type { LabHost } from "./host.ts";
import { type Lab, type LabOptions, startLab } from "./lab.ts";

/** The first lab on a machine makes the image too. */
const START_DEADLINE_MS = 900_000;
const CLOSE_DEADLINE_MS = 180_000;
const SHOWN_LINES = 40;

/** One lab for all tests of a file; nothing of it is left when they are over, whatever became of them. */
export function useLab(options: LabOptions): () => Lab {
  let yard: Yard;
  let lab: Lab | undefined;
  beforeAll(async () => {
    yard = new Yard();
    lab = await startLab(yard, options).catch((error: unknown) => {
      process.stderr.write(`${yard.logTails(SHOWN_LINES)}\n`);
      throw error;
    });
  }, START_DEADLINE_MS);
  beforeEach(() => onTestFailed(() => showJournals(lab)));
  afterAll(async () => {
    const complaints = await yard.close();
    if (complaints.length > 0) throw new Error(`not in order at the end:\n${complaints.join("\n")}`);
  }, CLOSE_DEADLINE_MS);
  return () => {
    if (lab === undefined) throw new Error("the lab is not up");
    return lab;
  };
}

/** Does something under strict traffic through these edges. Fails where a single request is lost. */
export function expectNothingLost<T>(
  lab: Lab,
  edges: readonly LabHost[],
  versions: readonly string[],
  action: () => Promise<T>,
): Promise<T> {
  const targets = edges.map((edge) => [edge.name, lab.front(edge)] as const);
  return expectNothingLostAt(lab.yard, targets, versions, action);
}

async function showJournals(lab: Lab | undefined): Promise<void> {
  for (const machine of lab?.machines ?? []) {
    process.stderr.write(`--- ${machine.name}\n${await machine.journal(SHOWN_LINES)}\n`);
  }
}
