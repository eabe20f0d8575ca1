import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Report } from "@siding/shared/report";
import { beforeEach, expect, test } from "vitest";
import { EventBody } from "../ledger/event.ts";
import { type Ledger, openLedger } from "../ledger/store.ts";
import { rebuild } from "../ledger/store-rebuild.ts";
import { behindOf } from "./behind.ts";

let file: string;
let ledger: Ledger;
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), "behind-")), "ledger.db");
  ledger = open();
  commit(
    EventBody.parse({ type: "control-plane-started", epoch: 4, controlPlaneId: "cp", version: "0.1.0" }),
  );
});

function open(): Ledger {
  const opened = openLedger(file, { monotonicMs: () => 0, wallMs: () => 0 });
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
}

function commit(...bodies: readonly EventBody[]): void {
  expect(ledger.commit(ledger.state.sequence, bodies, "test")).toMatchObject({ ok: true });
}

function seen(epochSeen: number, revisionSeen: number): Report {
  const facts = {
    ...{ agentVersion: "0.1.0", hostname: "h1", address: "127.0.1.1", labels: {}, roles: ["host"] },
    ...{ edgeAddresses: [], epochSeen, revisionSeen },
  };
  const said = { v: 1, hostId: "h1", incarnation: "i1", sequence: 1, kind: "state", full: true, facts };
  return Report.parse({ ...said, instances: [], upstreams: [] });
}

const refused = Report.parse({
  ...{ v: 1, hostId: "h1", incarnation: "i1", sequence: 2, kind: "refused", commandId: "s4" },
  ...{ code: "foreign-control-plane", message: "" },
});

test.each([
  ["nothing yet", 0, 0, []],
  ["no more than was said", 4, 1, []],
  ["a higher epoch", 9, 0, [10]],
  ["a higher revision of an older epoch", 3, 700, [5]],
  ["both", 9, 700, [10]],
])("an agent that has seen %s", (_, epochSeen, revisionSeen, epochs) => {
  const events = behindOf(ledger.state, seen(epochSeen, revisionSeen));
  expect(events.flatMap((event) => (event.type === "fleet-ahead" ? event.epoch : []))).toEqual(epochs);
});

test("from then on epoch and revisions are above all that was seen, also after a restart and a rebuild", () => {
  commit(...behindOf(ledger.state, seen(9, 700)));
  expect(ledger.state).toMatchObject({
    epoch: 10,
    sequence: 701,
    behind: { hostId: "h1", revisionSeen: 700 },
  });
  expect(behindOf(ledger.state, seen(9, 700))).toEqual([]);
  ledger.close();
  expect(rebuild(file)).toMatchObject({ ok: true, value: { events: 2, mended: [] } });
  ledger = open();
  expect(ledger.state).toMatchObject({ epoch: 10, sequence: 701, behind: { hostId: "h1" } });
  commit(EventBody.parse({ type: "artifact-registered", digest: `sha256:${"a".repeat(64)}`, sizeBytes: 1 }));
  expect(ledger.state.sequence).toBe(702);
});

test("an epoch of ours that somebody else had is left once, not for ever", () => {
  commit(...behindOf(ledger.state, refused));
  expect(ledger.state).toMatchObject({ epoch: 5, behind: { hostId: "h1", epochSeen: 4 } });
  expect(behindOf(ledger.state, refused)).toEqual([]);
});
