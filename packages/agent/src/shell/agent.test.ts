import type { Address, HostId, Incarnation } from "@siding/shared/ids";
import type { Report } from "@siding/shared/report";
import { err, failure, ok } from "@siding/shared/result";
import { describe, expect, it } from "vitest";
import type { Event } from "../machine/event.ts";
import { emptyJournal, type Journal } from "../machine/journal.ts";
import { service, targetOf } from "../machine/world.fixture.ts";
import { Agent, type AgentPorts } from "./agent.ts";

/** Fakes of every port, with a clock that only the test moves. */
class Fakes {
  readonly reports: Report[] = [];
  readonly logged: string[] = [];
  readonly order: string[] = [];
  journal: Journal = emptyJournal("boot");
  diskFull = false;
  /** Why it said that it can do nothing. */
  readonly complaints: string[] = [];
  stageThrows = false;
  #timers: { atMs: number; callback: () => void }[] = [];
  #nowMs = 0;

  readonly ports: AgentPorts = {
    clock: {
      nowMs: () => this.#nowMs,
      wakeAt: (atMs, callback) => {
        const timer = { atMs, callback };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((each) => each !== timer);
        };
      },
    },
    journal: {
      write: (journal) => {
        if (this.diskFull) return err(failure("journal-not-written", "no space left on device"));
        this.journal = journal;
        this.order.push("journal");
        return ok(null);
      },
    },
    voice: {
      report: (report) => {
        this.order.push("report");
        this.reports.push(report);
      },
      beat: ({ trouble }) => {
        if (trouble !== undefined) this.complaints.push(trouble);
      },
    },
    sampleLoad: () => ({ cpu: null, memory: null }),
    releases: {
      found: () => Promise.resolve([]),
      stage: () => {
        this.order.push("stage");
        return this.stageThrows
          ? Promise.reject(new Error("EACCES: permission denied"))
          : Promise.resolve(ok(null));
      },
      unpackedIn: () => Promise.resolve(ok("/releases/web/releases/v1")),
      link: () => Promise.resolve(ok("/releases/web/blue")),
      folderOf: () => "/releases/web/blue",
      prune: () => Promise.resolve(),
    },
    driver: {
      admit: () => Promise.resolve(ok(null)),
      find: () => Promise.resolve([]),
      start: () => Promise.resolve(ok("1:1:boot")),
      stop: () => Promise.resolve(ok(null)),
      watchExits: () => {},
    },
    hooks: {
      admit: () => Promise.resolve(ok(null)),
      run: () => Promise.resolve(ok(null)),
      endLeft: () => Promise.resolve(),
    },
    countConnections: () => Promise.resolve(ok([])),
    runCheck: () => Promise.resolve({ kind: "exit", code: 0, signal: null, output: "" }),
    askHealth: () => Promise.resolve({ kind: "status", status: 200 }),
    edge: null,
    log: {
      info: (event) => void this.logged.push(event),
      warn: (event) => void this.logged.push(event),
      error: (event) => void this.logged.push(event),
    },
  };

  readonly agent = new Agent(this.ports, {
    agent: {
      hostId: "h1" as HostId,
      address: "127.0.1.1" as Address,
      labels: {},
      roles: ["host"],
      agentVersion: "0",
      hostname: "one",
      edgeAddresses: [],
      beatIntervalMs: 10_000,
      inventory: null,
    },
    journal: this.journal,
    incarnation: "inc1" as Incarnation,
    bootId: "boot",
  });

  /** Every promise of a fake is settled already, so that this many turns are enough. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter((each) => each.atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((each) => each.atMs > this.#nowMs);
    for (const { callback } of due) callback();
  }
}

const stage = {
  kind: "command",
  command: {
    v: 1,
    kind: "stage",
    commandId: "c1",
    hostId: "h1",
    epoch: 1,
    controlPlaneId: "cp",
    incarnation: "inc1",
    revision: 1,
    deadlineMs: 60_000,
    service,
    slot: "blue",
    target: targetOf("v1"),
  },
} as Event;

async function ready(): Promise<Fakes> {
  const fakes = new Fakes();
  await fakes.settle();
  fakes.agent.happen({ kind: "connected", beatOffset: 0 });
  await fakes.settle();
  fakes.order.length = 0;
  return fakes;
}

describe("the shell", () => {
  it("makes a step durable before it does anything else", async () => {
    const fakes = await ready();
    fakes.agent.happen(stage);
    await fakes.settle();
    expect(fakes.order.slice(0, 3)).toEqual(["journal", "report", "stage"]);
    expect(fakes.logged).toContain("command-accepted");
    expect(fakes.logged).toContain("command-ended");
  });

  it("does and says nothing while the journal can't be written, and goes on when it can", async () => {
    const fakes = await ready();
    fakes.diskFull = true;
    fakes.agent.happen(stage);
    fakes.agent.happen({ kind: "disconnected" });
    await fakes.settle();
    expect(fakes.order).toEqual([]);
    expect(fakes.logged).toContain("journal-not-written");
    expect(fakes.complaints).toEqual(["no space left on device"]);
    fakes.diskFull = false;
    fakes.pass(1_000);
    await fakes.settle();
    expect(fakes.order.slice(0, 3)).toEqual(["journal", "report", "stage"]);
    expect(fakes.journal.instances).toMatchObject([{ command: { outcome: { kind: "done" } } }]);
  });

  it("answers for an adapter that throws", async () => {
    const fakes = await ready();
    fakes.stageThrows = true;
    fakes.agent.happen(stage);
    await fakes.settle();
    for (const ms of [1_000, 1_000]) {
      fakes.pass(ms);
      await fakes.settle();
    }
    expect(fakes.reports.at(-1)).toMatchObject({
      instances: [
        {
          command: { failure: { code: "agent-error", message: "stage-release: EACCES: permission denied" } },
        },
      ],
    });
  });

  it("takes nothing more once it is stopped", async () => {
    const fakes = await ready();
    fakes.agent.stop();
    fakes.agent.happen(stage);
    await fakes.settle();
    expect(fakes.order).toEqual([]);
  });
});
