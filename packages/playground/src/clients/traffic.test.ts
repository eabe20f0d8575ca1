import { expect, onTestFinished, test } from "vitest";
import { Yard } from "../processes/yard.ts";
import { answer, serve } from "./faulty-server.ts";
import type { TrafficPlan } from "./plan.ts";
import { startRelay } from "./relay-process.ts";
import { Traffic } from "./traffic.ts";

async function prepare(limit: number | null): Promise<{ yard: Yard; plan: TrafficPlan }> {
  const yard = new Yard();
  onTestFinished(async () => void (await yard.close()));
  const target = await serve((socket, path) => void socket.write(answer(path)));
  const groups = [{ kind: "keep-alive" as const, clients: 3, thinkMs: 1 }];
  return { yard, plan: { target, versions: ["v1"], timeoutMs: 5_000, limit, groups } };
}

test("counts while it runs, and counts all of it when stopped", async () => {
  const { yard, plan } = await prepare(null);
  const traffic = await Traffic.start(yard, "clients", plan);
  await traffic.more(20);
  const counts = await traffic.stop();
  expect(counts.requests).toBeGreaterThanOrEqual(20);
  expect(counts.failed).toBe(0);
});

test("ends by itself at its limit, exactly, and still answers", async () => {
  const { yard, plan } = await prepare(50);
  const traffic = await Traffic.start(yard, "clients", plan);
  expect(await traffic.finished()).toMatchObject({ requests: 50, failed: 0 });
  expect(await traffic.read()).toMatchObject({ requests: 50 });
  expect(await traffic.stop()).toMatchObject({ requests: 50 });
});

test("its sudden end is an error for whoever waits", async () => {
  const { yard, plan } = await prepare(null);
  const traffic = await Traffic.start(yard, "clients", plan);
  process.kill(traffic.pid, "SIGKILL");
  await expect(traffic.finished()).rejects.toThrow("the clients ended with SIGKILL");
});

test("runs through a relay's process", async () => {
  const { yard, plan } = await prepare(20);
  const target = await startRelay(yard, plan.target, 20);
  const traffic = await Traffic.start(yard, "clients", { ...plan, target });
  const counts = await traffic.finished();
  expect(counts).toMatchObject({ requests: 20, failed: 0 });
  expect(counts.kinds[0]?.p50Ms).toBeGreaterThanOrEqual(20);
});
