import { connect } from "node:net";
import { expect, test } from "vitest";
import { finished } from "../fleet/rollouts.ts";
import { SERVICE, serviceSpec } from "../fleet/service-spec.ts";
import { ROLLOUT_DEADLINE_MS, useFleet } from "./scene.ts";

// What a person gets wrong. Nothing of it may reach a host.

const fleet = useFleet({
  hosts: 2,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

test("names what it does not know", async () => {
  const { api } = fleet();
  await expect(api.rollout("nobody", { version: "v1" })).rejects.toMatchObject({ code: "unknown-service" });
  await expect(api.rollout("nobody", { version: "v1" })).rejects.toThrow("nobody");
  await expect(fleet().roll({ version: "v9" })).rejects.toMatchObject({ code: "unknown-version" });
  await expect(fleet().roll({ version: "v9" })).rejects.toThrow("v9");
});

test("names an unknown key, and a mistyped value, by their path", async () => {
  const wrong = { version: "v2", strategy: { kind: "rolling", batchSise: 1 } };
  await expect(fleet().api.rollout(SERVICE, wrong)).rejects.toThrow(/strategy.*batchSise/s);
  await expect(fleet().api.rollout(SERVICE, { version: "v2", bakeTime: 5 })).rejects.toThrow("bakeTime");
});

test("says of what is to come that it is not available yet", async () => {
  const canary = { version: "v2", strategy: { kind: "canary", steps: [] } };
  await expect(fleet().api.rollout(SERVICE, canary)).rejects.toMatchObject({
    status: 422,
    code: "not-available-yet",
  });
});

test("refuses a rollout that would breach the minimum, with the arithmetic", async () => {
  const { api, ports } = fleet();
  await api.declare(SERVICE, serviceSpec(ports, { capacity: { minServing: "100%" } }));
  const refused = fleet().roll({ version: "v2" });
  await expect(refused).rejects.toMatchObject({ code: "below-minimum" });
  await expect(refused).rejects.toThrow(/2/);
  await api.declare(SERVICE, serviceSpec(ports));
});

test("the same request twice, by its key, is one rollout", async () => {
  const { api } = fleet();
  const key = { "idempotency-key": "just-once" };
  const first = await api.rollout(SERVICE, { version: "v2" }, key);
  const second = await api.rollout(SERVICE, { version: "v2" }, key);
  expect(second.id).toBe(first.id);
  const other = api.rollout(SERVICE, { version: "v1" }, key);
  await expect(other).rejects.toMatchObject({ code: "idempotency-conflict" });
  await api.control(first.id, "rollback");
  await finished(api, first.id, "rolled-back", ROLLOUT_DEADLINE_MS);
});

test("broken JSON is a problem document", async () => {
  const reply = await fleet().api.raw({
    method: "POST",
    path: `/v1/services/${SERVICE}/rollouts`,
    headers: { "content-type": "application/json" },
    body: '{"version":',
  });
  expect(reply.status).toBe(400);
  expect(reply.headers["content-type"]).toContain("application/problem+json");
  expect(JSON.parse(reply.body.toString())).toMatchObject({ code: "malformed-json" });
});

test("a body of 1 GB is refused before it has come", async () => {
  const { url, token } = fleet().api;
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.write(
    `POST /v1/services/${SERVICE}/rollouts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{"version":`,
  );
  const [answer] = await new Promise<[Buffer]>((resolve) => socket.once("data", (chunk) => resolve([chunk])));
  socket.destroy();
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /);
});

test("without a token, or with a wrong one, nobody gets in", async () => {
  const { api } = fleet();
  for (const authorization of ["", "Bearer wrong"]) {
    const reply = await api.raw({ method: "GET", path: "/v1/fleet", headers: { authorization } });
    expect(reply.status).toBe(401);
  }
});
