import { listOf, ServiceDocument } from "@siding/shared/rest";
import { expect, test } from "vitest";
import { expectProblem, read, spec, useServedApi } from "./served-api.fixture.ts";

const { call, sendJson, served } = useServedApi();

test("a service is declared, read, changed, and written in YAML", async () => {
  const declared = await sendJson("PUT", "/v1/services/web", spec);
  expect(declared.status).toBe(201);
  expect(await read(ServiceDocument, declared)).toMatchObject({
    name: "web",
    specRevision: 1,
    spec,
    releases: [],
  });
  const yaml = "name: web\nhosts: { match: { role: web } }\nrun: { command: [node, other.js] }\nport: 8080\n";
  const changed = await call(
    "PUT",
    "/v1/services/web",
    `${yaml}health: { http: /healthz }\nedge: { match: { role: edge } }`,
    {
      "content-type": "application/yaml; charset=utf-8",
    },
  );
  expect(changed.status).toBe(200);
  expect(await read(ServiceDocument, changed)).toMatchObject({ specRevision: 2 });
  const listed = await read(listOf(ServiceDocument), await call("GET", "/v1/services"));
  expect(listed.items.map(({ name }) => name)).toEqual(["web"]);
  expect(served().ledger.state.upstreams.size).toBe(1);
});

test("what is wrong with a spec is named by its path", async () => {
  const wrong = {
    ...spec,
    port: "8080",
    health: { http: "/h", intervall: "1s", grace: 5 },
    strategy: { kind: "rolling", batchsize: 2 },
    nmae: "x",
  };
  const { errors } = await expectProblem(
    await sendJson("PUT", "/v1/services/web", wrong),
    422,
    "invalid-request",
  );
  expect(Object.fromEntries((errors ?? []).map(({ path, message }) => [path, message]))).toMatchObject({
    nmae: "unknown key",
    "health.intervall": "unknown key",
    "strategy.batchsize": "unknown key",
    port: expect.stringContaining("expected number") as unknown,
    "health.grace": expect.stringContaining("expected") as unknown,
  });
  const missing = await expectProblem(await sendJson("PUT", "/v1/services/web", {}), 422, "invalid-request");
  expect(missing.errors).toContainEqual({ path: "name", message: "missing; expected string" });
  const kind = { ...spec, strategy: { kind: "big-bang" } };
  const { detail } = await expectProblem(
    await sendJson("PUT", "/v1/services/web", kind),
    422,
    "invalid-request",
  );
  expect(detail).toContain("strategy.kind: unknown kind");
  const named = await expectProblem(await sendJson("PUT", "/v1/services/api", spec), 422, "invalid-request");
  expect(named.errors?.[0]?.path).toBe("name");
  expect(served().ledger.state.services.size).toBe(0);
});

test("what is not built yet is refused by name, unless something is wrong besides", async () => {
  const later = { ...spec, strategy: { kind: "canary" }, gates: [] };
  const { errors } = await expectProblem(
    await sendJson("PUT", "/v1/services/web", later),
    422,
    "not-available-yet",
  );
  expect(errors?.map(({ path }) => path).sort()).toEqual(["gates", "strategy.kind"]);
  const both = { ...later, port: 0 };
  await expectProblem(await sendJson("PUT", "/v1/services/web", both), 422, "invalid-request");
});
