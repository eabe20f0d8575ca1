import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { digest, expectProblem, useServedApi } from "./served-api.fixture.ts";

const { call, readyToRoll, sendJson, served } = useServedApi();

test("a release is immutable: the same again 200, other content 409, unknown parts 404", async () => {
  await readyToRoll();
  const release = (version: string, of: string, service = "web") =>
    sendJson("POST", `/v1/services/${service}/releases`, { version, artifact: { digest: of } });
  expect((await release("v1", digest)).status).toBe(200);
  const other = await call("POST", "/v1/artifacts", Buffer.from("other"));
  const { digest: otherDigest } = (await other.json()) as { digest: string };
  await expectProblem(await release("v1", otherDigest), 409, "release-conflict");
  await expectProblem(await release("v2", `sha256:${"0".repeat(64)}`), 404, "unknown-artifact");
  await expectProblem(await release("v2", digest, "api"), 404, "unknown-service");
  const none = { version: "v2", artifact: {} };
  await expectProblem(await sendJson("POST", "/v1/services/web/releases", none), 422, "invalid-request");
});

test("a release can be a unit that runs already: it has no artifact, and never changes", async () => {
  await readyToRoll();
  const release = (body: object) => sendJson("POST", "/v1/services/web/releases", body);
  const adopted = await release({ version: "adopted", adopt: "shop.service" });
  expect([adopted.status, await adopted.json()]).toMatchObject([201, { adopts: "shop.service", size: 0 }]);
  expect((await release({ version: "adopted", adopt: "shop.service" })).status).toBe(200);
  await expectProblem(await release({ version: "adopted", adopt: "other.service" }), 409, "release-conflict");
  for (const [body, path] of [
    [{ version: "v0", adopt: "shop.service" }, "version"],
    [{ version: "adopted", adopt: "shop@.service" }, "adopt"],
    [{ version: "adopted", adopt: "shop.service", artifact: { digest } }, "adopt"],
    [{ version: "adopted" }, "artifact"],
  ] as const) {
    const { errors } = await expectProblem(await release(body), 422, "invalid-request");
    expect(errors?.map((error) => error.path)).toContain(path);
  }
  expect(served().ledger.state.artifacts.size).toBe(1);
});

test("a release from an address is fetched once, however often it is registered", async () => {
  await readyToRoll();
  const far = Buffer.from("from far away");
  let fetched = 0;
  const site = createServer((_, response) => {
    fetched += 1;
    response.end(far);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void site.close());
  await once(site, "listening");
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/a.tar.gz`;
  const sha256 = createHash("sha256").update(far).digest("hex");
  const release = (version: string, artifact: object, service = "web") =>
    sendJson("POST", `/v1/services/${service}/releases`, { version, artifact });
  const both = await Promise.all(["v2", "v3"].map((version) => release(version, { url, sha256 })));
  expect(both.map(({ status }) => status)).toEqual([201, 201]);
  expect(await both[0]?.json()).toMatchObject({ digest: `sha256:${sha256}`, size: far.length });
  expect((await release("v2", { url, sha256 })).status).toBe(200);
  expect((await release("v2", { digest: `sha256:${sha256}` })).status).toBe(200);
  expect(fetched).toBe(1);
  const wrong = "0".repeat(64);
  await expectProblem(await release("v2", { url, sha256: wrong }), 409, "release-conflict");
  await expectProblem(await release("v4", { url, sha256 }, "api"), 404, "unknown-service");
  expect(fetched).toBe(1);
  const mismatch = await expectProblem(await release("v4", { url, sha256: wrong }), 422, "digest-mismatch");
  expect(mismatch.errors).toMatchObject([{ path: "artifact.sha256" }]);
  expect(mismatch.detail).toContain(sha256);
  site.close();
  site.closeAllConnections();
  const gone = await expectProblem(await release("v4", { url, sha256: wrong }), 502, "artifact-not-fetched");
  expect(gone.detail).toContain(url);
  expect(readdirSync(join(served().folder, "artifacts", "incoming"))).toEqual([]);
});

test.each([
  [{ url: "https://x.test/a" }, "artifact.sha256"],
  [{ url: "ftp://x.test/a", sha256: "0".repeat(64) }, "artifact.url"],
  [{ url: "https://me:secret@x.test/a", sha256: "0".repeat(64) }, "artifact.url"],
  [{ url: "https://x.test/a", sha256: "short" }, "artifact.sha256"],
  [{ digest, sha256: "0".repeat(64) }, "artifact.sha256"],
  [{ digest, url: "https://x.test/a", sha256: "0".repeat(64) }, "artifact.url"],
  [{}, "artifact.digest"],
])("a release from %j is refused, naming %s", async (artifact, path) => {
  await readyToRoll();
  const refused = await sendJson("POST", "/v1/services/web/releases", { version: "v2", artifact });
  const { errors } = await expectProblem(refused, 422, "invalid-request");
  expect(errors?.map((error) => error.path)).toContain(path);
});
