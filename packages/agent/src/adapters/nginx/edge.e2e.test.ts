import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import type { UpstreamName } from "@siding/shared/ids";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NginxEdge } from "./edge.ts";
import { isAlive, isAtRest, isRetired, nginxIn, processOf, signal } from "./processes.ts";
import type { Origin } from "./testing/origin.ts";
import { messageOf, Rig, value, web } from "./testing/rig.ts";
import { ask, StrictClients } from "./testing/strict-client.ts";
import { until } from "./waiting.ts";

let rig: Rig;
let one: Origin;
let two: Origin;

beforeEach(async () => {
  rig = new Rig();
  [one, two] = [await rig.origin("one"), await rig.origin("two")];
});
afterEach(() => rig.close());

/** An edge that serves `one`, behind a front. */
async function serving() {
  value(await rig.edge.start());
  value(await rig.edge.apply(web([one.member]), 1));
  return rig.front();
}

test("routes to the members that were applied, behind a front that is never reloaded", async () => {
  const facts = value(await rig.edge.start());
  expect(facts).toMatchObject({ inner: "started", served: [], warnings: [] });

  const first = value(await rig.edge.apply(web([one.member]), 11));
  expect(first).toMatchObject({ revision: 11, generation: 1, reloads: 1, reloaded: true });
  const front = await rig.front();
  expect((await ask(front)).body).toBe("one");

  const second = value(await rig.edge.apply(web([two.member]), 12));
  expect(second).toMatchObject({ revision: 12, generation: 2, reloads: 2, reloaded: true });
  for (let turn = 0; turn < 20; turn += 1) expect((await ask(front)).body).toBe("two");
});

test("an upstream without members answers 503, and routes once it has some", async () => {
  value(await rig.edge.start());
  value(await rig.edge.apply(web([]), 1));
  const front = await rig.front("client_max_body_size 0;");
  expect((await ask(front)).status).toBe(503);
  const body = Buffer.alloc(5_000_000);
  expect((await ask({ ...front, method: "POST", body })).status).toBe(503);
  value(await rig.edge.apply(web([one.member]), 2));
  expect((await ask(front)).body).toBe("one");
});

test("a revision that changes nothing which nginx reads is noted without a reload", async () => {
  await serving();
  const workers = rig.workerPids;
  const watch = [{ ...two.member, attempt: 2 }];
  const noted = value(await rig.edge.apply(web([one.member], { watch }), 2));
  expect(noted).toMatchObject({ revision: 2, generation: 1, reloads: 1, reloaded: false });
  expect(rig.workerPids).toEqual(workers);
  expect((await rig.restartAgent()).served).toMatchObject([
    { revision: 2, digest: noted.digest, generation: 1 },
  ]);
});

test("upstreams stand apart: a change of one is no change of another", async () => {
  await serving();
  const other = { ...web([two.member]), upstream: "other" as ReturnType<typeof web>["upstream"] };
  value(await rig.edge.apply(other, 5));
  expect((await rig.restartAgent()).served).toMatchObject([
    { upstream: "other", revision: 5, generation: 1 },
    { upstream: "web", revision: 1, generation: 1 },
  ]);
});

test("a config that nginx refuses leaves the last good one, and says why in nginx's words", async () => {
  const front = await serving();
  const broken = join(rig.current, "upstreams", "zz.conf");
  const before = readFileSync(join(rig.current, "upstreams", "web.conf"), "utf8");
  writeFileSync(broken, "this is no directive;\n");
  const refused = await rig.edge.apply(web([two.member]), 2);
  expect(refused).toMatchObject({ ok: false, error: { code: "edge-config-refused" } });
  expect(messageOf(refused)).toContain('unknown directive "this"');
  expect(readFileSync(join(rig.current, "upstreams", "web.conf"), "utf8")).toBe(before);
  expect((await ask(front)).body).toBe("one");

  // An agent that starts anew knows its folder, and what does not belong there.
  expect((await rig.restartAgent()).served).toMatchObject([{ revision: 1 }]);
  expect(existsSync(broken)).toBe(false);
  expect(value(await rig.edge.apply(web([two.member]), 2))).toMatchObject({ reloaded: true, generation: 3 });
});

test("a stopped master takes the reload without effect; the last good content is put back", async () => {
  rig = await withShortDeadline(rig);
  const front = await serving();
  const master = processOf(rig.masterPid);
  if (!master) throw new Error("no master");
  await until(() => isAtRest(master), { everyMs: 5, withinMs: 5_000 });
  signal(master, "SIGSTOP");
  const futile = await rig.edge.apply(web([two.member]), 2);
  expect(futile).toMatchObject({ ok: false, error: { code: "edge-reload-without-effect" } });
  expect((await ask(front)).body).toBe("one");
  const again = await rig.edge.apply(web([two.member]), 2);
  expect(messageOf(again)).toContain("has not dealt with an earlier reload");

  signal(master, "SIGCONT");
  // Not even the same content is taken for served now: what the master read meanwhile is unknown.
  expect(value(await rig.edge.apply(web([one.member]), 3))).toMatchObject({ reloaded: true, revision: 3 });
  expect((await ask(front)).body).toBe("one");
  expect(value(await rig.edge.apply(web([two.member]), 4))).toMatchObject({ reloaded: true, revision: 4 });
  expect((await ask(front)).body).toBe("two");
});

async function withShortDeadline(former: Rig): Promise<Rig> {
  await former.close();
  const short = new Rig({ confirmDeadlineMs: 800 });
  [one, two] = [await short.origin("one"), await short.origin("two")];
  return short;
}

test("a worker that can't hear the reload keeps it from being confirmed", async () => {
  rig = await withShortDeadline(rig);
  await serving();
  const [deaf] = rig.workerPids;
  if (deaf === undefined) throw new Error("no worker");
  process.kill(deaf, "SIGSTOP");
  const unsure = await rig.edge.apply(web([two.member]), 2);
  expect(unsure).toMatchObject({ ok: false, error: { code: "edge-reload-without-effect" } });
  expect(messageOf(unsure)).toContain(`pid ${deaf}`);
  process.kill(deaf, "SIGCONT");
  value(await rig.edge.apply(web([two.member]), 3));
});

test("once confirmed, no old worker takes a connection: the removed member sees no new request", async () => {
  const front = await serving();
  const clients = new StrictClients(front.port, 12);
  for (let revision = 2; revision < 12; revision += 1) {
    const [stays, leaves] = revision % 2 === 0 ? [two, one] : [one, two];
    const old = rig.workerPids.map(processOf).filter((worker) => worker !== null);
    value(await rig.edge.apply(web([stays.member]), revision));
    expect(old.every(isRetired)).toBe(true);
    await untilIdle(leaves);
    const seen = leaves.seen;
    await clients.more(200);
    expect(leaves.seen).toBe(seen);
  }
  await clients.stop();
  expect(clients.failures).toEqual([]);
});

/** The drain as a host does it: no connection in three looks. */
async function untilIdle(origin: Origin): Promise<void> {
  for (let empty = 0; empty < 3; ) {
    empty = (await origin.openConnections()) === 0 ? empty + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("reloads under strict keep-alive clients lose nothing", async () => {
  const front = await serving();
  const clients = new StrictClients(front.port, 12);
  const members = [one.member, two.member];
  for (let revision = 2; revision < 22; revision += 1) {
    value(
      await rig.edge.apply(
        web(revision % 2 === 0 ? members : members.slice(revision % 3 > 0 ? 1 : 0)),
        revision,
      ),
    );
    await clients.more(150);
  }
  await clients.stop();
  expect(clients.failures).toEqual([]);
  expect(clients.requests).toBeGreaterThan(3_000);
});

test("a killed master is noticed and replaced without a lost request", async () => {
  const front = await serving();
  const clients = new StrictClients(front.port, 12);
  for (let death = 1; death <= 3; death += 1) {
    const noticed = new Promise<void>((resolve) => {
      const unwatch = rig.edge.watchDown(() => {
        unwatch();
        resolve();
      });
    });
    const orphans = rig.workerPids.map(processOf).filter((worker) => worker !== null);
    expect(orphans.length).toBeGreaterThan(0);
    process.kill(rig.masterPid, "SIGKILL");
    await noticed;
    const refused = await rig.edge.apply(web([two.member]), 100 + death);
    expect(refused).toMatchObject({ ok: false, error: { code: "edge-nginx-down" } });
    await clients.more(300);
    value(await rig.edge.recover());
    expect(orphans.every(isRetired)).toBe(true);
    await clients.more(300);
    value(await rig.edge.apply(web([death % 2 === 0 ? one.member : two.member]), 200 + death));
    await clients.more(300);
  }
  await clients.stop();
  expect(clients.failures).toEqual([]);
  expect(clients.requests).toBeGreaterThan(2_000);
});

test("recovers when the workers have died with their master", async () => {
  const front = await serving();
  const processes = nginxIn(rig.current);
  for (const process of processes) signal(process, "SIGKILL");
  await until(() => !processes.some(isAlive), { everyMs: 5, withinMs: 5_000 });
  value(await rig.edge.recover());
  expect((await ask(front)).body).toBe("one");
});

test("an agent that starts anew takes a healthy nginx over without touching it", async () => {
  const front = await serving();
  const before = { master: rig.masterPid, workers: rig.workerPids };
  const facts = await rig.restartAgent();
  expect(facts).toMatchObject({
    inner: "taken-over",
    served: [{ upstream: "web", revision: 1, generation: 1 }],
  });
  expect({ master: rig.masterPid, workers: rig.workerPids }).toEqual(before);
  expect(value(await rig.edge.apply(web([two.member]), 2))).toMatchObject({ generation: 2, reloads: 2 });
  expect((await ask(front)).body).toBe("two");
});

test("an agent that starts after a reboot serves what was confirmed before", async () => {
  const front = await serving();
  await rig.edge.stop();
  expect((await ask(front)).status).toBe(502);
  expect(await rig.restartAgent()).toMatchObject({
    inner: "started",
    served: [{ revision: 1, generation: 1 }],
  });
  expect((await ask(front)).body).toBe("one");
});

test("after a reboot nobody is served before it is said what is current, and then nothing else", async () => {
  const front = await serving();
  await rig.edge.stop();
  rig.edge = new NginxEdge(rig.config);
  expect(value(await rig.edge.start(null))).toMatchObject({ inner: "cold", served: [{ revision: 1 }] });
  expect((await ask(front)).status).toBe(502);
  const refused = { content: web([one.member], { balance: "least-time" }), revision: 7, ejected: [] };
  const other = { ...refused, content: { ...web([two.member]), upstream: "other" as UpstreamName } };
  const wanted = { content: web([one.member, two.member]), revision: 6, ejected: ["one/blue"] };
  const facts = value(await rig.edge.start([wanted, refused, other]));
  expect(facts).toMatchObject({
    inner: "started",
    served: [
      { revision: 6, ejected: ["one/blue"] },
      { upstream: "other", revision: 7 },
    ],
    warnings: [expect.stringContaining("web: balance least-time needs")],
  });
  for (let turn = 0; turn < 6; turn += 1) expect((await ask(front)).body).toBe("two");
  // Whoever finds it running leaves it alone, whatever is to be served.
  rig.edge = new NginxEdge(rig.config);
  const found = value(await rig.edge.start([]));
  expect(found.inner).toBe("taken-over");
  expect(new Set(found.served)).toEqual(new Set(facts.served));
});

test("an nginx that is not there is said by name", async () => {
  const missing = new Rig({ nginx: "/nonexistent/nginx" });
  const refused = await missing.edge.start();
  await missing.close();
  expect(refused).toMatchObject({ ok: false, error: { code: "edge-nginx-missing" } });
  expect(messageOf(refused)).toMatch(
    /^no nginx at '\/nonexistent\/nginx' \(.*ENOENT\); 1\.18\.0 or newer is needed\. Install it \(apt-get .*edge\.nginx/,
  );
});

test("a folder that nginx workers can't enter is a warning", async () => {
  chmodSync(rig.folder, 0o700);
  const { warnings } = value(await rig.edge.start());
  expect(warnings).toEqual([expect.stringContaining(`${rig.folder} is closed to nginx workers`)]);
});

test("who is ejected is left out by a reload of its own count, also after the agent and nginx start anew", async () => {
  const front = await serving();
  const both = web([one.member, two.member]);
  value(await rig.edge.apply(both, 2));
  const ejected = ["one/blue"];
  const left = value(await rig.edge.apply(both, 2, ejected));
  expect(left).toMatchObject({ revision: 2, reloads: 2, ejections: 1, ejected, reloaded: true });
  const answers = async () =>
    new Set(await Promise.all(Array.from({ length: 12 }, async () => (await ask(front)).body)));
  expect(await answers()).toEqual(new Set(["two"]));

  expect((await rig.restartAgent()).served).toMatchObject([{ revision: 2, ejected, ejections: 1 }]);
  await rig.edge.stop();
  expect((await rig.restartAgent()).served).toMatchObject([{ revision: 2, ejected }]);
  expect(await answers()).toEqual(new Set(["two"]));

  // A revision that delists whom this edge had left out changes nothing that nginx reads.
  expect(value(await rig.edge.apply(web([two.member]), 3))).toMatchObject({ reloaded: false, ejected: [] });
  expect(value(await rig.edge.apply(both, 4))).toMatchObject({ reloaded: true, reloads: 3, ejections: 1 });
  expect(await answers()).toEqual(new Set(["one", "two"]));
});

/** How many of the requests each member answered, from this many clients that ask so often. */
async function shares(port: number, clients: number, each: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let client = 0; client < clients; client += 1) {
    for (let count = 0; count < each; count += 1) {
      const { body } = await ask({ port, headers: { "x-real-ip": `203.0.113.${client}` } });
      counts[`${client}/${body}`] = (counts[`${client}/${body}`] ?? 0) + 1;
      counts[body] = (counts[body] ?? 0) + 1;
    }
  }
  return counts;
}

test("round-robin: each in its turn", async () => {
  const front = await serving();
  value(await rig.edge.apply(web([one.member, two.member]), 2));
  const bodies: string[] = [];
  for (let turn = 0; turn < 10; turn += 1) bodies.push((await ask(front)).body);
  const pairs = Array.from({ length: 5 }, (_, pair) => bodies.slice(2 * pair, 2 * pair + 2));
  for (const pair of pairs) expect(pair.toSorted()).toEqual(["one", "two"]);
});

test("weighted: a host of weight 3 answers three times as many", async () => {
  const front = await serving();
  const members = [{ ...one.member, weight: 3 }, two.member];
  value(await rig.edge.apply(web(members, { balance: "weighted" }), 2));
  expect(await shares(front.port, 1, 80)).toMatchObject({ one: 60, two: 20 });
});

test("ip-hash: a client by its header stays with its host, and clients are spread", async () => {
  const front = await serving();
  value(await rig.edge.apply(web([one.member, two.member], { balance: "ip-hash" }), 2));
  const counts = await shares(front.port, 24, 3);
  for (let client = 0; client < 24; client += 1) {
    expect([counts[`${client}/one`], counts[`${client}/two`]].filter(Boolean)).toEqual([3]);
  }
  expect(Math.min(counts.one ?? 0, counts.two ?? 0)).toBeGreaterThan(0);
});

test("least-conn: who is busy is asked less", async () => {
  const held: ServerResponse[] = [];
  const slow = await rig.origin("slow", (_, response) => {
    if (held.length === 0) held.push(response);
    else response.end("slow");
  });
  const front = await serving();
  value(await rig.edge.apply(web([one.member, slow.member], { balance: "least-conn" }), 2));
  const long = Array.from({ length: 2 }, () => ask(front));
  await until(() => slow.seen > 0, { everyMs: 5, withinMs: 5_000 });
  // In turn it would be half. Now and then both seem equally busy: a worker counts an answer off after it has sent it.
  const counts = await shares(front.port, 1, 30);
  expect(counts.one).toBeGreaterThan(22);
  for (const response of held) response.end("slow");
  await Promise.all(long);
});

test("least-time is refused by name where nginx does not have it", async () => {
  await serving();
  const refused = await rig.edge.apply(web([one.member], { balance: "least-time" }), 2);
  expect(messageOf(refused)).toMatch(/least-time needs nginx 1\.31\.0 or newer; this edge has/);
});

test("an nginx that is too old is said by name and version", async () => {
  const old = join(rig.folder, "old-nginx");
  writeFileSync(old, "#!/bin/sh\necho 'nginx version: nginx/1.10.3' >&2\n", { mode: 0o755 });
  const older = new Rig({ nginx: old });
  const refused = await older.edge.start();
  await older.close();
  expect(refused).toMatchObject({ ok: false, error: { code: "edge-nginx-too-old" } });
  expect(messageOf(refused)).toBe(
    `nginx 1.10.3 at '${old}' is too old: 1.18.0 or newer is needed. Upgrade it, or name another one by edge.nginx in the agent's config`,
  );
});
