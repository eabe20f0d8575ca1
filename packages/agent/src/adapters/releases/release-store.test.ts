import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
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

let folder: string;
let server: Server;
let store: ReleaseStore;
let answer: (response: ServerResponse) => void;
let requests: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "siding-releases-"));
  requests = 0;
  server = createServer((request, response) => {
    requests += 1;
    if (request.headers.authorization === "Bearer secret") answer(response);
    else response.writeHead(401).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  store = storeWith("secret");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function storeWith(token: string): ReleaseStore {
  const { port } = server.address() as AddressInfo;
  return new ReleaseStore(join(folder, "siding"), { url: `http://127.0.0.1:${port}`, token });
}

function releaseOf(version: string, bytes: Buffer): Release {
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
  return { version: version as Version, digest, sizeBytes: bytes.length };
}

/** Stages a release that holds its own version. */
async function staged(version: string): Promise<Release> {
  const bytes = rawTarGz([{ path: "version", text: version }]);
  answer = (response) => void response.end(bytes);
  const release = releaseOf(version, bytes);
  expect(await store.stage(web, release, never)).toEqual({ ok: true, value: null });
  return release;
}

const inService = (...path: string[]) => join(folder, "siding", "web", ...path);

describe("staging", () => {
  it("unpacks once, and finds it again", async () => {
    const release = await staged("v1");
    await store.stage(web, release, never);
    expect(requests).toBe(1);
    expect(await store.found()).toEqual([{ service: web, version: release.version, digest: release.digest }]);
    const name = `v1-${release.digest.slice(7, 19)}`;
    expect(readFileSync(inService("releases", name, "version"), "utf8")).toBe("v1");
    expect(readdirSync(inService("releases")).sort()).toEqual([name, `${name}.release.json`]);
  });

  const bytes = rawTarGz([{ path: "a", text: "x".repeat(4_000) }]);
  const other = Buffer.from(bytes);
  other[40] = (other[40] ?? 0) ^ 1;
  const unsafe = rawTarGz([{ path: "../a", text: "x" }]);

  it.each<[string, string, string, (response: ServerResponse) => void]>([
    ["tampered with", "artifact-digest-mismatch", "never", (response) => response.end(other)],
    [
      "longer",
      "artifact-digest-mismatch",
      "never",
      (response) => response.end(Buffer.concat([bytes, other])),
    ],
    ["shorter", "artifact-truncated", "never", (response) => response.end(bytes.subarray(0, 30))],
    [
      "shorter, and nobody says so before",
      "artifact-truncated",
      "never",
      (response) => {
        response.write(bytes.subarray(0, 30));
        response.end();
      },
    ],
    ["unknown", "artifact-unavailable", "few", (response) => response.writeHead(404).end()],
    [
      "not to be had now",
      "artifact-unavailable",
      "until-deadline",
      (response) => response.writeHead(503).end(),
    ],
    ["not answered for", "artifact-unavailable", "until-deadline", (response) => response.destroy()],
  ])("an artifact that is %s: %s", async (_, code, retry, answering) => {
    answer = answering;
    const result = await store.stage(web, releaseOf("v1", bytes), never);
    expect(result).toMatchObject({ ok: false, error: { retry, failure: { code } } });
    expect(readdirSync(inService("releases"))).toEqual([]);
  });

  it("a broken archive says so and leaves nothing, also where its files are still being written", async () => {
    const files = Array.from({ length: 200 }, (_, index) => ({
      path: `folder-${index % 20}/${index}`,
      text: "x",
    }));
    const whole = rawTarGz(files);
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const bytes = whole.subarray(0, whole.length - 20 - attempt);
      answer = (response) => void response.end(bytes);
      const result = await store.stage(web, releaseOf("v1", bytes), never);
      expect(result).toMatchObject({ ok: false, error: { failure: { code: "archive-invalid" } } });
      expect(readdirSync(inService("releases"))).toEqual([]);
    }
  });

  it("an archive with unsafe paths leaves nothing", async () => {
    answer = (response) => void response.end(unsafe);
    const result = await store.stage(web, releaseOf("v1", unsafe), never);
    expect(result).toMatchObject({
      ok: false,
      error: { retry: "never", failure: { code: "archive-unsafe-path" } },
    });
    expect(readdirSync(inService("releases"))).toEqual([]);
  });

  it("without the right token is refused", async () => {
    store = storeWith("wrong");
    const result = await store.stage(web, releaseOf("v1", bytes), never);
    expect(result).toMatchObject({
      ok: false,
      error: { retry: "never", failure: { code: "artifact-unavailable" } },
    });
  });

  it("where nobody listens can be tried again", async () => {
    const nobody = new ReleaseStore(join(folder, "siding"), { url: "http://127.0.0.1:1", token: "secret" });
    const result = await nobody.stage(web, releaseOf("v1", bytes), never);
    expect(result).toMatchObject({ ok: false, error: { retry: "until-deadline" } });
  });
});

describe("releases", () => {
  it("are linked by slot, and the link is switched", async () => {
    const [v1, v2] = [await staged("v1"), await staged("v2")];
    const linked = await store.link(web, "blue", v1);
    expect(linked).toEqual({ ok: true, value: inService("blue") });
    expect(readFileSync(inService("blue", "version"), "utf8")).toBe("v1");
    await store.link(web, "blue", v2);
    expect(readFileSync(inService("blue", "version"), "utf8")).toBe("v2");
    expect(readlinkSync(inService("blue"))).toBe(`releases/v2-${v2.digest.slice(7, 19)}`);
  });

  it("that are not there are not linked", async () => {
    const result = await store.link(web, "blue", releaseOf("v9", Buffer.from("9")));
    expect(result).toMatchObject({ ok: false, error: { code: "release-missing" } });
    expect(existsSync(inService("blue"))).toBe(false);
  });

  it("go when nobody keeps them, but never from under a slot", async () => {
    const [v1, v2, v3] = [await staged("v1"), await staged("v2"), await staged("v3")];
    await store.link(web, "green", v1);
    await store.prune(web, [v3]);
    const found = await store.found();
    expect(found.map(({ digest }) => digest).sort()).toEqual([v1.digest, v3.digest].sort());
    expect(existsSync(inService("releases", `v2-${v2.digest.slice(7, 19)}`))).toBe(false);
  });

  it("half done by a crash are cleared away", async () => {
    const release = await staged("v1");
    mkdirSync(inService("releases", ".draft-abc", "files"), { recursive: true });
    await clearDrafts(join(folder, "siding"));
    expect(readdirSync(inService("releases")).some((name) => name.startsWith("."))).toBe(false);
    expect(await store.found()).toMatchObject([{ digest: release.digest }]);
  });
});
