import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UpstreamContent } from "@siding/shared/command";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NginxEdge } from "./edge.ts";
import { IncludeEdge, type IncludeEdgeConfig } from "./include-edge.ts";
import { isAlive, processOf } from "./processes.ts";
import { Origin } from "./testing/origin.ts";
import { messageOf, value, web } from "./testing/rig.ts";
import { ask } from "./testing/strict-client.ts";
import { until } from "./waiting.ts";

// Mode include, with a user's nginx that includes the files and that only the test starts and stops.

let folder: string;
let config: IncludeEdgeConfig;
let edge: IncludeEdge;
let port: number;
let one: Origin;
let two: Origin;

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "siding-include-")));
  chmodSync(folder, 0o755);
  port = await freePort();
  config = {
    nginx: "nginx",
    includeDir: join(folder, "etc"),
    runDir: join(folder, "run"),
    dataDir: join(folder, "data"),
    pidFile: join(folder, "nginx.pid"),
    configFile: join(folder, "nginx.conf"),
    statusPort: await freePort(),
    bleedMs: null,
    reloadIntervalMs: 0,
    confirmDeadlineMs: 5_000,
  };
  edge = new IncludeEdge(config);
  [one, two] = [await Origin.listen("one"), await Origin.listen("two")];
});

afterEach(async () => {
  await endNginx("SIGTERM");
  await one.close();
  await two.close();
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: free } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return free;
}

async function startNginx(includes = `include ${config.includeDir}/http/*.conf;`): Promise<void> {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(" ");
  writeFileSync(
    join(folder, "nginx.conf"),
    `worker_processes 2; pid ${config.pidFile}; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off; ${temp}
  ${includes}
  server {
    listen 127.0.0.1:${port};
    location / { include ${config.includeDir}/bleed.conf; proxy_pass http://web; }
    location @siding_bleed { keepalive_timeout 0; proxy_pass http://web; }
  }
}
`,
  );
  execFileSync(config.nginx, ["-c", join(folder, "nginx.conf")], { stdio: "pipe" });
  await until(async () => (await edge.recover()).ok, { everyMs: 5, withinMs: 5_000 });
}

async function endNginx(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (!existsSync(config.pidFile)) return;
  const master = processOf(Number.parseInt(readFileSync(config.pidFile, "utf8"), 10));
  if (master === null) return;
  process.kill(master.pid, signal);
  await until(() => !isAlive(master), { everyMs: 10, withinMs: 5_000 });
}

/** As the docs tell: the service is declared, the file is there, the user starts nginx. */
async function serving(): Promise<void> {
  value(await edge.start());
  const early = await edge.apply(web([one.member]), 1);
  expect(messageOf(early)).toMatch(/your nginx does not run .* start it/);
  await startNginx();
  value(await edge.apply(web([one.member]), 1));
}

const answer = async () => (await ask({ port })).body;

test("the file is there before nginx needs the name; what it has read then is confirmed without a reload", async () => {
  value(await edge.start());
  await edge.apply(web([one.member]), 1);
  await startNginx();
  expect(value(await edge.apply(web([one.member]), 1))).toMatchObject({ revision: 1, reloaded: false });
  expect(await answer()).toBe("one");
});

test("going back to mode inner leaves nothing of mode include in the user's nginx", async () => {
  await serving();
  const files = () => readdirSync(join(config.includeDir, "http")).toSorted();
  expect(files()).toEqual(["_siding.conf", "web.conf"]);
  const inner = new NginxEdge({ ...config, workerUser: null });
  try {
    expect(value(await inner.start([]))).toMatchObject({ inner: "started", served: [{ revision: 1 }] });
    expect(files()).toEqual(["web.conf"]);
    expect(readFileSync(join(config.includeDir, "http", "web.conf"), "utf8")).not.toContain("127.0.0.1");
    process.kill(Number(readFileSync(config.pidFile, "utf8")), "SIGHUP");
    await until(async () => !(await answersAt(config.statusPort)), { everyMs: 5, withinMs: 5_000 });
    expect(await answer()).toBe("one");
  } finally {
    await inner.stop();
  }
});

async function answersAt(statusPort: number): Promise<boolean> {
  return ask({ port: statusPort }).then(
    () => true,
    () => false,
  );
}

test("a revision reloads the user's nginx and is confirmed; another agent finds it served", async () => {
  await serving();
  const applied = value(await edge.apply(web([two.member]), 2));
  expect(applied).toMatchObject({ revision: 2, reloaded: true });
  expect(await answer()).toBe("two");
  edge = new IncludeEdge(config);
  expect(value(await edge.start())).toMatchObject({ inner: "taken-over", served: [{ revision: 2 }] });
  expect(value(await edge.apply(web([two.member]), 2))).toMatchObject({ reloaded: false });
});

test("nobody listed answers 503, and nginx still starts", async () => {
  await serving();
  value(await edge.apply(web([]), 2));
  expect((await ask({ port })).status).toBe(503);
  await endNginx("SIGTERM");
  await startNginx();
  expect((await ask({ port })).status).toBe(503);
});

test("balances as it is told: in turn, by weight, and by the client's address", async () => {
  await serving();
  const members = [{ ...one.member, weight: 3 }, two.member];
  const answers = async (localAddress = "127.0.0.1") => {
    const bodies: string[] = [];
    for (let turn = 0; turn < 8; turn += 1) bodies.push((await ask({ port, localAddress })).body);
    return bodies;
  };
  const ones = (bodies: readonly string[]) => bodies.filter((body) => body === "one").length;
  value(await edge.apply(web(members), 2));
  expect(ones(await answers())).toBe(4);
  value(await edge.apply(web(members, { balance: "weighted" }), 3));
  expect(ones(await answers())).toBe(6);
  value(await edge.apply(web(members, { balance: "ip-hash" }), 4));
  const hosts = new Set<string>();
  for (let client = 1; client <= 24; client += 1) {
    const [first = "", ...others] = await answers(`127.0.7.${client}`);
    expect(new Set(others)).toEqual(new Set([first]));
    hosts.add(first);
  }
  expect(hosts).toEqual(new Set(["one", "two"]));
});

test("a TCP service is refused by name; HTTP goes on", async () => {
  await serving();
  const tcp = { ...web([two.member]), upstream: "db", protocol: "tcp" } as UpstreamContent;
  const refused = await edge.apply(tcp, 2);
  expect(refused).toMatchObject({ ok: false, error: { code: "edge-config-refused" } });
  expect(messageOf(refused)).toContain("upstream db is TCP, and mode include is for HTTP: use mode inner");
  expect(value(await edge.apply(web([two.member]), 3))).toMatchObject({ reloaded: true });
});

test("a mistake in the user's own config is refused in nginx's words; what served serves on", async () => {
  await serving();
  writeFileSync(join(config.includeDir, "http", "zz.conf"), "nonsense on;\n");
  const refused = await edge.apply(web([two.member]), 2);
  expect(refused).toMatchObject({ ok: false, error: { code: "edge-config-refused" } });
  expect(messageOf(refused)).toContain('unknown directive "nonsense"');
  expect(messageOf(await edge.prepare(web([two.member]), []))).toContain("nonsense");
  expect(await answer()).toBe("one");
  rmSync(join(config.includeDir, "http", "zz.conf"));
  value(await edge.prepare(web([two.member]), []));
  expect(await answer()).toBe("one");
});

test("an nginx that does not include the files is told what is missing", async () => {
  value(await edge.start());
  await startNginx("upstream web { server 127.0.0.1:1; }");
  const futile = await edge.apply(web([one.member]), 1);
  expect(messageOf(futile)).toContain(`include ${config.includeDir}/http/*.conf?`);
});

test("a master that is killed is noticed; when the user has started another, it goes on", async () => {
  await serving();
  const noticed = new Promise<void>((resolve) => {
    const unwatch = edge.watchDown(() => {
      unwatch();
      resolve();
    });
  });
  await endNginx("SIGTERM");
  await noticed;
  expect(messageOf(await edge.recover())).toContain("your nginx does not run");
  await startNginx();
  value(await edge.recover());
  expect(value(await edge.apply(web([two.member]), 2))).toMatchObject({ reloaded: true });
  expect(await answer()).toBe("two");
});

test("while it bleeds every answer closes its connection, and afterwards none", async () => {
  config = { ...config, bleedMs: 300 };
  edge = new IncludeEdge(config);
  await serving();
  const kinds = new Set<string>();
  let done = false;
  const asking = (async () => {
    while (!done)
      kinds.add(String((await ask({ port, headers: { connection: "keep-alive" } })).headers.connection));
  })();
  value(await edge.apply(web([two.member]), 2));
  done = true;
  await asking;
  expect(kinds).toContain("close");
  const after = await ask({ port, headers: { connection: "keep-alive" } });
  expect(after.headers.connection).toBe("keep-alive");
  expect(existsSync(join(config.runDir, "bleed"))).toBe(false);
});
