import { Report } from "@siding/shared/report";
import { EventBody } from "./event.ts";
import { openLedger } from "./store.ts";

/** As many hosts as a large fleet has; each reports again and again. */
const hosts = 1_000;

/** A report that says something new each time. */
function reported(hostId: string, revisionSeen: number): EventBody {
  const facts = {
    ...{ agentVersion: "0.1.0", hostname: hostId, address: "127.0.1.1", labels: { role: "web" } },
    ...{ roles: ["host"], edgeAddresses: [], epochSeen: 1, revisionSeen },
  };
  const said = { v: 1, hostId, incarnation: "i1", sequence: 1, kind: "state", full: true, facts };
  const report = Report.parse({ ...said, instances: [], upstreams: [] });
  return EventBody.parse({ ...report, type: "host-reported", voided: [] });
}

/** Makes a ledger that has seen so many thousand events. Errors: throws. */
export function makeLargeLedger(file: string, thousandEvents: number): void {
  const opened = openLedger(file, { monotonicMs: () => 0, wallMs: () => 0 });
  if (!opened.ok) throw new Error(opened.error.message);
  const ledger = opened.value;
  for (let round = 0; round < thousandEvents; round += 1) {
    const events = Array.from({ length: hosts }, (_, host) => reported(`h${host}`, round));
    const committed = ledger.commit(ledger.state.sequence, events, "agent");
    if (!committed.ok) throw new Error(committed.error.message);
  }
  ledger.close();
}
