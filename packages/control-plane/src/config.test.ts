import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { loadConfig } from "./config.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
  writeFileSync(join(folder, "h1.token"), `${"t".repeat(20)}\n`);
  writeFileSync(join(folder, "h2.token"), `${"u".repeat(20)}==\n`);
  writeFileSync(join(folder, "short.token"), "secret\n");
});

function load(text: string, env: NodeJS.ProcessEnv = {}) {
  writeFileSync(join(folder, "siding.yaml"), text);
  return loadConfig(join(folder, "siding.yaml"), env);
}

test("the example that is shipped can be read, and says what would hold anyway", () => {
  const example = new URL("../../../deploy/control-plane.example.yaml", import.meta.url);
  const tokens = join(folder, "tokens");
  mkdirSync(tokens);
  for (const id of ["web-1", "web-2", "edge-1"]) writeFileSync(join(tokens, id), id.padEnd(16, "0"));
  const loaded = load(readFileSync(example, "utf8"));
  if (!loaded.ok) throw new Error(loaded.error.message);
  const { dataDir, httpListen, nats, hosts, limits, logLevel } = loaded.value;
  expect(hosts.map(({ id }) => id)).toEqual(["web-1", "web-2", "edge-1"]);
  expect([dataDir, httpListen.port, nats.kind]).toEqual(["/var/lib/siding", 8600, "managed"]);
  expect(load("dataDir: d")).toMatchObject({ value: { limits, logLevel } });
});

test("little needs to be said", () => {
  expect(load("dataDir: data")).toEqual({
    ok: true,
    value: {
      dataDir: join(folder, "data"),
      httpListen: { host: "127.0.0.1", port: 0 },
      nats: { kind: "managed", binary: "nats-server", listen: { host: "127.0.0.1", port: 0 } },
      hosts: [],
      limits: { artifactBytes: 2 * 1024 ** 3, httpConnections: 4_096 },
      logLevel: "info",
    },
  });
});

test("everything can be said", () => {
  const text = `
dataDir: /var/lib/siding
http: { listen: "[::1]:8600" }
nats: { url: "nats://10.0.0.5:4222", user: siding, passwordFile: short.token }
hosts:
  - { id: h1, tokenFile: h1.token }
  - { id: h2, tokenFile: h2.token }
limits: { artifact: 512MiB, httpConnections: 100 }
`;
  expect(load(text, { SIDING_LOG_LEVEL: "debug" })).toEqual({
    ok: true,
    value: {
      dataDir: "/var/lib/siding",
      httpListen: { host: "::1", port: 8600 },
      nats: { kind: "outside", url: "nats://10.0.0.5:4222", user: "siding", password: "secret" },
      hosts: [
        { id: "h1", token: "t".repeat(20) },
        { id: "h2", token: `${"u".repeat(20)}==` },
      ],
      limits: { artifactBytes: 512 * 1024 ** 2, httpConnections: 100 },
      logLevel: "debug",
    },
  });
});

test.each([
  ["dataDir: d\nhtpp: {}", /htpp: unknown key/],
  ["dataDir: d\nhttp: { listen: '127.0.0.1:0', tls: true }", /http\.tls: unknown key/],
  ["http: {}", /dataDir: /],
  ["dataDir: d\nhttp: { listen: 8600 }", /http\.listen: /],
  ["dataDir: d\nhttp: { listen: '127.0.0.1:99999' }", /no ADDRESS:PORT/],
  ["dataDir: d\nhosts: [{ id: H1, tokenFile: h1.token }]", /hosts\.0\.id: a host id has/],
  ["dataDir: d\nhosts: [{ id: h1, tokenFile: none.token }]", /none\.token: there is no such file/],
  ["dataDir: d\nhosts: [{ id: h1, tokenFile: short.token }]", /short\.token: a token has 16 to 512/],
  ["dataDir: d\nhosts: [{ id: h1, tokenFile: h1.token }, { id: h1, tokenFile: h2.token }]", /declared twice/],
  [
    "dataDir: d\nhosts: [{ id: h1, tokenFile: h1.token }, { id: h2, tokenFile: h1.token }]",
    /'h1' and 'h2' have the same token/,
  ],
  ["dataDir: d\nlimits: { artifact: lots }", /limits\.artifact: 'lots' is no size/],
  ["dataDir: [", /siding\.yaml: /],
])("%j is refused by name", (text, message) => {
  expect(load(text)).toMatchObject({
    ok: false,
    error: { message: expect.stringMatching(message) as unknown },
  });
});

test("a config that is not there is named", () => {
  expect(loadConfig(join(folder, "none.yaml"), {})).toMatchObject({
    ok: false,
    error: { code: "config-unreadable" },
  });
});
