import { HostId, Incarnation } from "@siding/shared/ids";
import { Beat, Report } from "@siding/shared/report";
import { beforeEach, expect, test } from "vitest";
import { BeatStore } from "../fleet/beats.ts";
import { LedgerClock } from "../ledger/clock.ts";
import { EventBody } from "../ledger/event.ts";
import { fold } from "../ledger/fold.ts";
import { emptyState, type LedgerState } from "../ledger/state.ts";
import { Catalogue } from "./catalogue.ts";
import type { View } from "./document-view.ts";

const digest = `sha256:${"a".repeat(64)}`;

let nowMs: number;
let state: LedgerState;
let clock: LedgerClock;
let beats: BeatStore;
let catalogue: Catalogue;

beforeEach(() => {
  nowMs = 1_000;
  state = emptyState();
  // A wall clock that trembles: what nothing has happened to must read the same all the same.
  clock = new LedgerClock({ monotonicMs: () => nowMs, wallMs: () => nowMs + Math.random() * 1_000 }, 0);
  beats = new BeatStore(clock);
  catalogue = new Catalogue();
});

function report(hostId: string): void {
  const facts = {
    agentVersion: "0.1.0",
    hostname: hostId,
    address: "127.0.1.1",
    labels: {},
    roles: ["host"],
    edgeAddresses: [],
    epochSeen: 1,
    revisionSeen: 1,
  };
  const said = { v: 1, hostId, incarnation: "i1", sequence: 1, kind: "state", full: true, facts };
  const body = EventBody.parse({
    ...Report.parse({ ...said, instances: [], upstreams: [] }),
    type: "host-reported",
    voided: [],
  });
  fold(state, { sequence: state.sequence + 1, at: "", elapsedMs: 0, by: "agent", body });
}

function beat(hostId: string): void {
  const load = { cpu: 0.5, memory: 0.5 };
  const said = { v: 1, hostId, incarnation: Incarnation.parse("i1"), stateDigest: digest, intervalMs: 1_000 };
  beats.accept(Beat.parse({ ...said, load }));
}

function entries() {
  const declared = new Set([HostId.parse("h1"), HostId.parse("h3")]);
  const view: View = { state, live: beats.view(), clock, nowMs, declared };
  return new Map(catalogue.entries(view).map((entry) => [String(entry.document.id), entry]));
}

test("declared hosts and those that reported, in numeric order, also when more come", () => {
  expect([...entries().keys()]).toEqual(["h1", "h3"]);
  report("h10");
  report("h2");
  expect([...entries().keys()]).toEqual(["h1", "h2", "h3", "h10"]);
});

test("a removed host is shown no more, and again when it is given back", () => {
  for (const id of ["h1", "h2", "h3"]) report(id);
  expect([...entries().keys()]).toEqual(["h1", "h2", "h3"]);
  const hostId = HostId.parse("h2");
  const hold = (body: EventBody) =>
    fold(state, { sequence: state.sequence + 1, at: "", elapsedMs: 0, by: "alice", body });
  hold({ type: "host-held", hostId, kind: "removed", comment: null });
  beats.connected();
  beat("h2");
  expect([...entries().keys()]).toEqual(["h1", "h3"]);
  hold({ type: "host-released", hostId });
  expect([...entries().keys()]).toEqual(["h1", "h2", "h3"]);
});

test("only what a commit, a beat or a silence has changed is made again", () => {
  for (const id of ["h1", "h3"]) report(id);
  beats.connected();
  beat("h1");
  const first = entries();
  nowMs += 10;
  expect(entries()).toEqual(first);
  expect([entries().get("h1"), entries().get("h3")]).toEqual([first.get("h1"), first.get("h3")]);

  report("h3");
  const reported = entries();
  expect(reported.get("h1")).toBe(first.get("h1"));
  expect(reported.get("h3")).not.toBe(first.get("h3"));

  beat("h1");
  const beaten = entries();
  expect(beaten.get("h1")).not.toBe(first.get("h1"));
  expect(beaten.get("h3")).toBe(reported.get("h3"));

  nowMs += 3_001;
  expect(entries().get("h1")?.document.liveness).toBe("silent");
  expect(beaten.get("h1")?.document.liveness).toBe("alive");
});
