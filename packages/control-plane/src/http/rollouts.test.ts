import { join } from "node:path";
import { listOf, RolloutDocument } from "@siding/shared/rest";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { asAdmin, expectProblem, read, useServedApi } from "./served-api.fixture.ts";

const { call, readyToRoll, sendJson, served } = useServedApi();

const startRollout = (body: object, headers: Record<string, string> = {}) =>
  sendJson("POST", "/v1/services/web/rollouts", body, headers);

test("a rollout is started, read, listed and controlled", async () => {
  await readyToRoll();
  await expectProblem(await startRollout({ version: "v9" }), 404, "unknown-version");
  const started = await startRollout({ version: "v1", comment: "first" });
  expect(started.status).toBe(201);
  expect(await read(RolloutDocument, started)).toMatchObject({
    id: "r-2",
    createdBy: "admin",
    comment: "first",
  });
  await expectProblem(await startRollout({ version: "v1" }), 409, "rollout-in-progress");
  const paused = await sendJson("POST", "/v1/rollouts/r-2/pause", { comment: "lunch" });
  expect(paused.status).toBe(200);
  await vi.waitFor(async () => {
    const document = await read(RolloutDocument, await call("GET", "/v1/rollouts/r-2"));
    expect(document).toMatchObject({ status: "paused", cause: { code: "paused-by-person" } });
  });
  expect((await call("POST", "/v1/rollouts/r-2/resume")).status).toBe(200);
  await expectProblem(await call("POST", "/v1/rollouts/r-2/promote"), 409, "no-gate");
  await expectProblem(await sendJson("POST", "/v1/rollouts/r-2/abort", { why: "x" }), 422, "invalid-request");
  await expectProblem(await call("POST", "/v1/rollouts/r-0/abort"), 404, "unknown-rollout");
  await expectProblem(await call("GET", "/v1/rollouts/r-0"), 404, "unknown-rollout");
});

test("a page of rollouts leads to the next", async () => {
  await readyToRoll();
  for (let count = 0; count < 3; count += 1) {
    const { id } = await read(RolloutDocument, await startRollout({ version: "v1" }));
    await call("POST", `/v1/rollouts/${id}/abort`);
    await vi.waitFor(async () => {
      expect(await read(RolloutDocument, await call("GET", `/v1/rollouts/${id}`))).toHaveProperty(
        "finishedAt",
      );
    });
  }
  const page = async (query: string) =>
    read(listOf(RolloutDocument), await call("GET", `/v1/rollouts?service=web&${query}`));
  const first = await page("limit=2");
  expect(first.items).toHaveLength(2);
  const second = await page(`limit=2&after=${first.next}`);
  expect([second.items.length, second.next]).toEqual([1, undefined]);
  await expectProblem(await call("GET", "/v1/rollouts?limit=0&sort=up"), 422, "invalid-request");
});

test("a repeated request with its key begins nothing anew; the key for another request is refused", async () => {
  await readyToRoll();
  const key = { "idempotency-key": "deploy-4711" };
  const first = await read(RolloutDocument, await startRollout({ version: "v1" }, key));
  const again = await startRollout({ version: "v1" }, key);
  expect([again.status, (await read(RolloutDocument, again)).id]).toEqual([200, first.id]);
  await expectProblem(await startRollout({ version: "v1", comment: "x" }, key), 409, "idempotency-conflict");
  const bad = { "idempotency-key": "x".repeat(300) };
  await expectProblem(await startRollout({ version: "v1" }, bad), 422, "invalid-request");
  expect(served().ledger.state.rollouts.size).toBe(1);
});

test("a key is known for a day; then it is free, and forgotten with the next rollout", async () => {
  await readyToRoll();
  const [old, young] = [{ "idempotency-key": "old" }, { "idempotency-key": "young" }];
  const first = await read(RolloutDocument, await startRollout({ version: "v1" }, old));
  served().aheadMs = 23 * 3_600_000;
  expect((await startRollout({ version: "v1" }, old)).status).toBe(200);
  await sendJson("POST", `/v1/rollouts/${first.id}/abort`, {});
  await vi.waitFor(() => expect(served().ledger.state.rollouts.get(first.id)?.status).toBe("aborted"));
  served().aheadMs = 24 * 3_600_000;
  expect((await startRollout({ version: "v1" }, young)).status).toBe(201);
  expect([...served().ledger.state.idempotency.keys()]).toEqual(["young"]);
  const stored = new Database(join(served().folder, "ledger.db"))
    .prepare("SELECT key FROM idempotency")
    .all();
  expect(stored).toEqual([{ key: "young" }]);
  expect((await startRollout({ version: "v1" }, old)).status).toBe(409);
});

/** Reads an event stream to its end. */
async function eventsOf(answer: Response): Promise<{ id: number; event: string; data: unknown }[]> {
  const text = await answer.text();
  return text
    .split("\n\n")
    .filter((block) => block.startsWith("id:"))
    .map((block) => {
      const [id = "", event = "", data = ""] = block
        .split("\n")
        .map((line) => line.slice(line.indexOf(" ") + 1));
      return { id: Number(id), event, data: JSON.parse(data) as unknown };
    });
}

test("events come as they happen, go on after Last-Event-ID, and end with the rollout", async () => {
  await readyToRoll();
  const { id } = await read(RolloutDocument, await startRollout({ version: "v1" }));
  const watching = call("GET", `/v1/rollouts/${id}/events`);
  await watching;
  await call("POST", `/v1/rollouts/${id}/abort`);
  const events = await eventsOf(await watching);
  expect(events[0]).toMatchObject({
    event: "rollout-created",
    data: { by: "admin", type: "rollout-created" },
  });
  expect(events.at(-1)?.event).toBe("rollout-finished");
  expect(events.map((event) => event.id)).toEqual(events.map((event) => event.id).toSorted((a, b) => a - b));
  const resumed = (after: number) =>
    call("GET", `/v1/rollouts/${id}/events`, undefined, { "last-event-id": String(after) });
  const half = events[2]?.id ?? 0;
  expect(await eventsOf(await resumed(half))).toEqual(events.slice(3));
  expect((await resumed(events.at(-1)?.id ?? 0)).status).toBe(204);
  const nonsense = await call("GET", `/v1/rollouts/${id}/events`, undefined, { "last-event-id": "x" });
  await expectProblem(nonsense, 422, "invalid-request");
  await expectProblem(await call("GET", "/v1/rollouts/r-0/events"), 404, "unknown-rollout");
  expect(served().openStreams.size).toBe(0);
});

test("a watcher who leaves is forgotten", async () => {
  await readyToRoll();
  const { id } = await read(RolloutDocument, await startRollout({ version: "v1" }));
  const leaving = new AbortController();
  await fetch(`${served().server.url}/v1/rollouts/${id}/events`, {
    headers: asAdmin,
    signal: leaving.signal,
  });
  expect(served().openStreams.size).toBe(1);
  leaving.abort();
  await vi.waitFor(() => expect(served().openStreams.size).toBe(0));
});
