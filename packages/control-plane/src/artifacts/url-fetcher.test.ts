import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "@siding/shared/ids";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ArtifactStore } from "./store.ts";
import { type FetchLimits, UrlFetcher } from "./url-fetcher.ts";

const bytes = Buffer.alloc(200_000, "an artifact ");
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
const limitBytes = 300_000;

let folder: string;
let site: Server;
let origin: string;
let requests: string[];
/** What the site does at each path. */
let pages: Record<string, RequestListener>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "fetcher-"));
  requests = [];
  pages = { "/a": (_, response) => void response.end(bytes) };
  site = createServer((request, response) => {
    requests.push(request.url ?? "");
    const page = pages[request.url ?? ""];
    if (page) page(request, response);
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
});
afterEach(() => {
  site.closeAllConnections();
  site.close();
  rmSync(folder, { recursive: true, force: true });
});

function fetcherWith(limits: Partial<FetchLimits> = {}) {
  return new UrlFetcher(new ArtifactStore(join(folder, "artifacts"), limitBytes), limits);
}

const leads =
  (to: string): RequestListener =>
  (_, response) =>
    void response.writeHead(302, { location: to }).end();
const nothingLeft = () => {
  expect(readdirSync(join(folder, "artifacts"))).toEqual(["incoming"]);
  expect(readdirSync(join(folder, "artifacts", "incoming"))).toEqual([]);
};

it("fetches once for all who ask at the same time, also behind redirects", async () => {
  pages["/latest"] = leads("/mirror");
  pages["/mirror"] = leads(`${origin}/a`);
  const fetcher = fetcherWith({ maxFetches: 1 });
  const remote = { url: `${origin}/latest`, digest };
  const [first, second] = await Promise.all([fetcher.fetch(remote), fetcher.fetch(remote)]);
  expect(first).toEqual({ ok: true, value: { digest, sizeBytes: bytes.length } });
  expect(second).toEqual(first);
  expect(requests).toEqual(["/latest", "/mirror", "/a"]);
});

it.each<[what: string, page: RequestListener, code: string, words: RegExp]>([
  [
    "is not there",
    (_, response) => void response.writeHead(404).end(),
    "artifact-not-fetched",
    /answered 404/,
  ],
  ["leads round in a circle", leads("/x"), "artifact-not-fetched", /more than 5 times/],
  [
    "leads to a file",
    leads("file:///etc/passwd"),
    "artifact-not-fetched",
    /file:\/\/\/etc\/passwd.*only http/,
  ],
  [
    "is another",
    (_, response) => void response.end("other"),
    "artifact-digest-mismatch",
    /5 bytes with sha256:\w{64} have come; sha256:\w{64} was declared/,
  ],
  [
    "says that it is too large",
    (_, response) => void response.writeHead(200, { "content-length": 300_001 }).end(),
    "artifact-not-fetched",
    /300001 bytes.*at most 300000/,
  ],
  [
    "is too large and does not say so",
    (_, response) => {
      response.write(bytes);
      response.end(bytes);
    },
    "artifact-not-fetched",
    /at most 300000/,
  ],
  [
    "breaks off",
    (_, response) =>
      void response.writeHead(200, { "content-length": 200_000 }).write("x", () => response.destroy()),
    "artifact-not-fetched",
    /broke off/,
  ],
  [
    "falls silent",
    (_, response) => void response.write("x"),
    "artifact-not-fetched",
    /nothing came for 0.6 s/,
  ],
  ["never answers", () => {}, "artifact-not-fetched", /nothing came for 0.6 s/],
])("what %s is refused with its address, and leaves nothing", async (_, page, code, words) => {
  pages["/x"] = page;
  const fetched = await fetcherWith({ longestSilenceMs: 600 }).fetch({ url: `${origin}/x`, digest });
  expect(fetched).toMatchObject({ ok: false, error: { code } });
  expect(fetched.ok ? "" : fetched.error.message).toMatch(words);
  expect(fetched.ok ? "" : fetched.error.message).toContain(`${origin}/x`);
  nothingLeft();
});

it("takes no longer than it may in all, however lively the other side is", async () => {
  pages["/drip"] = (_, response) => {
    const drip = setInterval(() => response.write("x"), 5);
    response.once("close", () => clearInterval(drip));
  };
  const fetched = await fetcherWith({ fetchDeadlineMs: 100 }).fetch({ url: `${origin}/drip`, digest });
  expect(fetched.ok ? "" : fetched.error.message).toContain("it took longer than 0.1 s");
  nothingLeft();
});

it("an address that nobody listens at is named with the reason", async () => {
  site.close();
  const fetched = await fetcherWith().fetch({ url: `${origin}/a`, digest });
  expect(fetched.ok ? "" : fetched.error.message).toContain(
    `${origin}/a could not be fetched: connect ECONNREFUSED`,
  );
});

it("fetches only a few at a time", async () => {
  pages["/slow"] = () => {};
  const fetcher = fetcherWith({ maxFetches: 1, longestSilenceMs: 600 });
  const slow = fetcher.fetch({ url: `${origin}/slow`, digest });
  const other = await fetcher.fetch({ url: `${origin}/a`, digest });
  expect(other).toMatchObject({ ok: false, error: { code: "too-many-fetches" } });
  await slow;
  expect(await fetcher.fetch({ url: `${origin}/a`, digest })).toMatchObject({ ok: true });
});
