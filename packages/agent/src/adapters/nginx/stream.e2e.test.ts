import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UpstreamContent } from "@siding/shared/command";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readFeatures } from "./binary.ts";
import { processOf } from "./processes.ts";
import { findStream, type StreamSupport } from "./stream-module.ts";
import { messageOf, Rig, value, web } from "./testing/rig.ts";
import { ask } from "./testing/strict-client.ts";
import { askOnce, StrictTcpClients, TcpConversation, TcpService } from "./testing/tcp-service.ts";
import { until } from "./waiting.ts";

let rig: Rig;
let one: TcpService;
let two: TcpService;
const stream = await streamOfThisMachine();
if (stream.kind === "absent") process.stderr.write(`left out, most tests of TCP services: ${stream.why}\n`);

beforeEach(async () => {
  rig = new Rig();
  [one, two] = [await TcpService.listen("one"), await TcpService.listen("two")];
});
afterEach(async () => {
  await rig.close();
  await one.close();
  await two.close();
});

async function streamOfThisMachine(): Promise<StreamSupport> {
  const folder = mkdtempSync(join(tmpdir(), "siding-stream-"));
  const support = await findStream("nginx", value(await readFeatures("nginx")), folder);
  rmSync(folder, { recursive: true });
  return support;
}

function db(members: readonly TcpService[], more: Partial<UpstreamContent> = {}): UpstreamContent {
  const content = { ...web(members.map(({ member }) => member)), upstream: "db", protocol: "tcp", ...more };
  return UpstreamContent.parse(content);
}

/** An edge that serves `one`, behind a front. */
async function serving() {
  value(await rig.edge.start());
  value(await rig.edge.apply(db([one]), 1));
  return rig.tcpFront("db", stream.kind === "module" ? stream.path : null);
}

describe.skipIf(stream.kind === "absent")("a TCP upstream", () => {
  test("connections go to the members that were applied, behind a front that is never reloaded", async () => {
    const { port } = await serving();
    expect(await askOnce(port)).toBe("one");
    expect(value(await rig.edge.apply(db([two]), 2))).toMatchObject({ generation: 2, reloaded: true });
    for (let turn = 0; turn < 20; turn += 1) expect(await askOnce(port)).toBe("two");
  });

  test("HTTP and TCP upstreams stand side by side, also after the agent and nginx start anew", async () => {
    const { port } = await serving();
    const origin = await rig.origin("origin");
    value(await rig.edge.apply(web([origin.member]), 2));
    const front = await rig.front();
    const both = [
      { upstream: "db", revision: 1, generation: 1 },
      { upstream: "web", revision: 2, generation: 1 },
    ];
    const before = rig.workerPids;
    expect(await rig.restartAgent()).toMatchObject({ inner: "taken-over", served: both, warnings: [] });
    expect(rig.workerPids).toEqual(before);
    await rig.edge.stop();
    expect(await rig.restartAgent()).toMatchObject({ inner: "started", served: both, warnings: [] });
    expect([await askOnce(port), (await ask(front)).body]).toEqual(["one", "origin"]);
  });

  test("where nothing is listed a connection is closed in order, and served once somebody is", async () => {
    const { port } = await serving();
    value(await rig.edge.apply(db([]), 2));
    const closed = await new Promise<unknown>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.resume().on("end", () => resolve("closed in order"));
      socket.on("error", resolve);
    });
    expect(closed).toBe("closed in order");
    value(await rig.edge.apply(db([one]), 3));
    expect(await askOnce(port)).toBe("one");
  });

  test("a member that refuses is passed over: the connection goes to the next", async () => {
    const { port } = await serving();
    value(await rig.edge.apply(db([one, two]), 2));
    await one.close();
    for (let turn = 0; turn < 6; turn += 1) expect(await askOnce(port)).toBe("two");
  });

  test("reloads lose no new connection, a long one lives on, and who is delisted gets no new one", async () => {
    const { port } = await serving();
    const long = await TcpConversation.open(port);
    expect(await long.ask("first")).toBe("one");
    const clients = new StrictTcpClients(port);
    for (let revision = 2; revision < 12; revision += 1) {
      const [stays, leaves] = revision % 2 === 0 ? [two, one] : [one, two];
      value(await rig.edge.apply(db([stays]), revision));
      // Only the long one is left: a drain sees it and waits.
      await until(() => leaves.open === (leaves === one ? 1 : 0), { everyMs: 5, withinMs: 10_000 });
      const before = leaves.accepted;
      await clients.more(150);
      expect(leaves.accepted).toBe(before);
      expect(await long.ask(`turn${revision}`)).toBe("one");
    }
    await clients.stop();
    long.close();
    expect(clients.failures).toEqual([]);
  });

  test("a killed master is replaced without a lost connection, and long ones live on", async () => {
    const { port } = await serving();
    const long = await TcpConversation.open(port);
    const clients = new StrictTcpClients(port);
    await clients.more(50);
    const master = processOf(rig.masterPid);
    process.kill(rig.masterPid, "SIGKILL");
    await until(() => processOf(master?.pid ?? 0) === null, { everyMs: 5, withinMs: 5_000 });
    value(await rig.edge.recover());
    value(await rig.edge.apply(db([two]), 2));
    await clients.more(200);
    await clients.stop();
    expect(clients.failures).toEqual([]);
    expect(await long.ask("still")).toBe("one");
    long.close();
    expect(await askOnce(port)).toBe("two");
  });

  describe("balancing, by its effect", () => {
    async function answered(port: number, times: number): Promise<Record<string, number>> {
      const counts: Record<string, number> = {};
      for (let turn = 0; turn < times; turn += 1) {
        const name = await askOnce(port);
        counts[name] = (counts[name] ?? 0) + 1;
      }
      return counts;
    }

    test("round-robin and weighted", async () => {
      const { port } = await serving();
      value(await rig.edge.apply(db([one, two]), 2));
      expect(await answered(port, 20)).toEqual({ one: 10, two: 10 });
      const members = [{ ...one.member, weight: 3 }, two.member];
      value(await rig.edge.apply(db([], { members, balance: "weighted" }), 3));
      expect(await answered(port, 20)).toEqual({ one: 15, two: 5 });
    });

    test("least-conn: who holds connections gets no more of them", async () => {
      const { port } = await serving();
      value(await rig.edge.apply(db([one, two], { balance: "least-conn" }), 2));
      const held = await TcpConversation.open(port);
      const idle = (await held.ask("hold")) === "one" ? "two" : "one";
      for (let turn = 0; turn < 10; turn += 1) {
        expect(await askOnce(port)).toBe(idle);
        // nginx counts a connection until it has closed it.
        await until(() => one.open + two.open === 1, { everyMs: 2, withinMs: 10_000 });
      }
      held.close();
    });
  });
});

/** The machine's nginx, which says that its modules are in `modules`. */
function nginxWithModulesIn(modules: string): string {
  const path = join(rig.folder, "nginx-with-other-modules");
  const script = `#!/bin/sh
if [ "$1" = -V ]; then
  nginx -V 2>&1 | sed -e 's# --with-stream # #' -e 's# --modules-path=[^ ]*# --modules-path=${modules}#' >&2
else
  exec nginx "$@"
fi
`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

test.each([
  ["no stream module", "", /has no stream module \(no file .*ngx_stream_module\.so\).*libnginx-mod-stream/],
  ["a module of another build", "no module", /does not take its stream module: .*ngx_stream_module\.so/s],
])("with %s only the TCP service is refused, by name and with what to do", async (_, text, words) => {
  const nginx = nginxWithModulesIn(rig.folder);
  if (text !== "") writeFileSync(join(rig.folder, "ngx_stream_module.so"), text);
  const { folder } = rig;
  const without = new Rig({ nginx, runDir: join(folder, "run"), dataDir: join(folder, "data") });
  try {
    value(await without.edge.start());
    const refused = await without.edge.apply(db([one]), 1);
    expect(refused).toMatchObject({ ok: false, error: { code: "edge-config-refused" } });
    expect(messageOf(refused)).toMatch(/^upstream db is TCP, and nginx \d/);
    expect(messageOf(refused)).toMatch(words);
    expect(messageOf(await without.edge.prepare(db([one]), []))).toMatch(words);
    const origin = await without.origin("origin");
    value(await without.edge.apply(web([origin.member]), 2));
    expect((await ask(await without.front())).body).toBe("origin");
  } finally {
    await without.close();
  }
});
