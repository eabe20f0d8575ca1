import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentDigest } from "@siding/shared/digest";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EdgeLayout } from "./layout.ts";
import { loadStates, saveState, servedOf, type UpstreamState, unknownUpstream } from "./state.ts";
import { messageOf, value, web } from "./testing/rig.ts";

let folder: string;
let layout: EdgeLayout;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "siding-edge-"));
  layout = value(EdgeLayout.of({ includeDir: folder, runDir: folder, dataDir: folder }));
  await mkdir(layout.states);
});
afterEach(() => rmSync(folder, { recursive: true }));

const content = web([]);
const rendition = {
  content,
  revision: 4,
  digest: contentDigest(content),
  generation: 2,
  ejected: ["h2/blue"],
};
const state: UpstreamState = {
  ...unknownUpstream(content.upstream),
  served: rendition,
  attempt: { ...rendition, generation: 3, outcome: "open", oldWorkers: [{ pid: 12, startTicks: 34 }] },
  generation: 3,
  reloads: 2,
  ejections: 1,
  turnoverMs: 17.5,
};

test("what was saved is read again", async () => {
  saveState(layout, state);
  expect(value(await loadStates(layout))).toEqual([state]);
});

test("a draft that a power cut left is no state", async () => {
  writeFileSync(`${layout.stateFile(content.upstream)}.draft`, '{"v":1');
  expect(value(await loadStates(layout))).toEqual([]);
});

test("a file of another form is refused by its name", async () => {
  for (const text of ["", "{", '{"v":2}']) {
    writeFileSync(layout.stateFile(content.upstream), text);
    const refused = await loadStates(layout);
    expect(refused).toMatchObject({ ok: false, error: { code: "edge-state-unreadable" } });
    expect(messageOf(refused)).toContain("web.json");
  }
});

test("nothing is said to be served while an attempt is undecided", () => {
  expect(servedOf(state)).toBeNull();
  expect(servedOf(unknownUpstream(content.upstream))).toBeNull();
  const { content: _, ...told } = rendition;
  const served = { upstream: content.upstream, ...told, reloads: 2, ejections: 1, turnoverMs: 17.5 };
  expect(servedOf({ ...state, attempt: null })).toEqual(served);
});
