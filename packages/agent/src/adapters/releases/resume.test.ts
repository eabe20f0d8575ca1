import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest, ServiceName, Version } from "@siding/shared/ids";
import type { Release } from "@siding/shared/target";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rawTarGz } from "./archive.fixture.ts";
import { clearDrafts, ReleaseStore } from "./release-store.ts";

const web = "web" as ServiceName;
const never = new AbortController().signal;
const bytes = rawTarGz([{ path: "a", text: "x".repeat(4_000) }]);
const release: Release = {
  version: "v1" as Version,
  digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest,
  sizeBytes: bytes.length,
};
const name = `v1-${release.digest.slice(7, 19)}`;
const half = Math.floor(bytes.length / 2);

let folder: string;
let server: Server;
let store: ReleaseStore;
/** The `Range` of each request, in order. */
let ranges: (string | undefined)[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "siding-resume-"));
  ranges = [];
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  store = newStore();
  answer = whole;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** As after a restart of the agent. */
function newStore(): ReleaseStore {
  const { port } = server.address() as AddressInfo;
  return new ReleaseStore(join(folder, "siding"), { url: `http://127.0.0.1:${port}`, token: "secret" });
}

const stage = (signal = never) => store.stage(web, release, signal);
const inReleases = (...path: string[]) => join(folder, "siding", "web", "releases", ...path);
const left = () => readdirSync(inReleases()).sort();
const partial = `.partial-${release.digest.slice(7)}`;
const staged = { ok: true, value: null };

/** What is asked for, as the control plane does it. */
function whole(request: IncomingMessage, response: ServerResponse): void {
  const first = fromOf(request);
  response.writeHead(first === 0 ? 200 : 206, headOf(first)).end(bytes.subarray(first));
}

/** Up to `end`, then the connection is cut. */
const cutAt = (end: number) => (request: IncomingMessage, response: ServerResponse) => {
  const first = fromOf(request);
  response
    .writeHead(first === 0 ? 200 : 206, headOf(first))
    .write(bytes.subarray(first, end), () => setImmediate(() => response.destroy()));
};

function fromOf({ headers }: IncomingMessage): number {
  if (headers["if-range"] !== `"${release.digest}"`) return 0;
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
}

function headOf(first: number) {
  const range = { "content-range": `bytes ${first}-${bytes.length - 1}/${bytes.length}` };
  return { "content-length": bytes.length - first, ...(first === 0 ? {} : range) };
}

describe("a download that breaks off", () => {
  it("goes on where it was, each time, and is judged as a whole", async () => {
    answer = cutAt(half);
    const broken = await stage();
    expect(broken).toMatchObject({
      ok: false,
      error: { retry: "until-deadline", failure: { code: "artifact-truncated" } },
    });
    expect(left()).toEqual([partial]);
    answer = cutAt(half + 10);
    await stage();
    answer = whole;
    expect(await stage()).toEqual(staged);
    expect(ranges).toEqual([undefined, `bytes=${half}-`, `bytes=${half + 10}-`]);
    expect(readFileSync(inReleases(name, "a"), "utf8")).toBe("x".repeat(4_000));
    expect(left()).toEqual([name, `${name}.release.json`]);
  });

  it("goes on after a restart of the agent", async () => {
    answer = cutAt(half);
    await stage();
    await clearDrafts(join(folder, "siding"));
    store = newStore();
    answer = whole;
    expect(await stage()).toEqual(staged);
    expect(ranges).toEqual([undefined, `bytes=${half}-`]);
  });

  it("without having got further counts as a failure", async () => {
    answer = cutAt(0);
    expect(await stage()).toMatchObject({ ok: false, error: { retry: "few" } });
  });

  it("given up, is kept for who wants it next", async () => {
    const given = new AbortController();
    answer = (request, response) =>
      void response.writeHead(200, headOf(fromOf(request))).write(bytes.subarray(0, half));
    const staging = stage(given.signal);
    while (sizeOfPartial() < half) await new Promise(setImmediate);
    given.abort();
    expect((await staging).ok).toBe(false);
    answer = whole;
    expect(await stage()).toEqual(staged);
    expect(ranges.at(-1)).toBe(`bytes=${half}-`);
  });

  it("begins anew where the whole comes although a part was asked for", async () => {
    answer = cutAt(half);
    await stage();
    answer = (_, response) => void response.writeHead(200, headOf(0)).end(bytes);
    expect(await stage()).toEqual(staged);
  });

  it("is not believed to go on where another part comes", async () => {
    answer = cutAt(half);
    await stage();
    const range = { "content-range": `bytes 5-${bytes.length - 1}/${bytes.length}` };
    answer = (_, response) => void response.writeHead(206, range).end(bytes.subarray(5));
    expect(await stage()).toMatchObject({ ok: false, error: { failure: { code: "artifact-unavailable" } } });
    expect(left()).toEqual([]);
  });
});

function sizeOfPartial(): number {
  try {
    return readFileSync(inReleases(partial)).length;
  } catch {
    return 0;
  }
}

describe("wrong bytes", () => {
  it("of an earlier try are thrown away, and fetched anew", async () => {
    answer = cutAt(half);
    await stage();
    writeFileSync(inReleases(partial), Buffer.alloc(half, "?"));
    answer = whole;
    expect(await stage()).toEqual(staged);
    expect(ranges).toEqual([undefined, `bytes=${half}-`, undefined]);
  });

  it("are fetched anew once, and no more", async () => {
    const other = Buffer.from(bytes);
    other.writeUInt8(other.readUInt8(40) ^ 1, 40);
    answer = (_, response) => void response.writeHead(200, headOf(0)).end(other);
    expect(await stage()).toMatchObject({
      ok: false,
      error: { retry: "never", failure: { code: "artifact-digest-mismatch" } },
    });
    expect(ranges).toEqual([undefined, undefined]);
    expect(left()).toEqual([]);
  });

  it("beyond the end are thrown away too", async () => {
    answer = cutAt(half);
    await stage();
    writeFileSync(inReleases(partial), Buffer.alloc(bytes.length + 1));
    answer = whole;
    expect(await stage()).toEqual(staged);
  });
});

it("asked to come again later, says so", async () => {
  answer = (_, response) => void response.writeHead(503, { "retry-after": "7" }).end();
  const busy = await stage();
  expect(busy).toMatchObject({ ok: false, error: { retry: "until-deadline", afterMs: 7_000 } });
  answer = (_, response) => void response.writeHead(503, { "retry-after": "9999" }).end();
  expect(await stage()).toMatchObject({ ok: false, error: { afterMs: 60_000 } });
});

it("two slots that want the same release fetch it once", async () => {
  expect(await Promise.all([stage(), stage()])).toEqual([staged, staged]);
  expect(ranges).toHaveLength(1);
});

it("what nobody goes on with is cleared away: with the next release, or after a day", async () => {
  answer = cutAt(half);
  await stage();
  await store.prune(web, []);
  expect(left()).toEqual([]);
  await stage();
  const yesterday = new Date(Date.now() - 86_400_001);
  utimesSync(inReleases(partial), yesterday, yesterday);
  await clearDrafts(join(folder, "siding"));
  expect(left()).toEqual([]);
});
