import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EventBody, type LedgerEvent } from "../ledger/event.ts";
import { type EventSource, EventStream } from "./event-stream.ts";

const options = { heartbeatMs: 1_000, patienceHeartbeats: 2 };
let log: LedgerEvent[];
let isOver: boolean;
let listeners: Set<() => void>;
let reads: number;
let ends: number;

const source: EventSource = {
  read: (after) => {
    reads += 1;
    return log.filter(({ sequence }) => sequence > after).slice(0, 10);
  },
  isOver: () => isOver,
  subscribe: (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

beforeEach(() => {
  vi.useFakeTimers();
  [log, isOver, listeners, reads, ends] = [[], false, new Set(), 0, 0];
});
afterEach(() => vi.useRealTimers());

const open = (after = 0) =>
  new EventStream(source, after, options, () => {
    ends += 1;
  });

function happen(message = "x"): void {
  const body = EventBody.parse({
    type: "command-refused",
    hostId: "h1",
    commandId: "c1",
    code: "stale-epoch",
    message,
  });
  log.push({ sequence: log.length + 1, at: "2026-11-20T12:00:00.000Z", elapsedMs: 0, by: "admin", body });
  for (const listener of listeners) listener();
}

const decoder = new TextDecoder();
async function next(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string | undefined> {
  const { value } = await reader.read();
  return value && decoder.decode(value);
}

test("what happens comes in order, a heartbeat in between, and an end when it is over", async () => {
  const reader = open().body.getReader();
  expect(await next(reader)).toBe("retry: 1000\n\n");
  const first = next(reader);
  happen();
  expect(await first).toBe(
    'id: 1\nevent: command-refused\ndata: {"sequence":1,"at":"2026-11-20T12:00:00.000Z","by":"admin",' +
      '"type":"command-refused","hostId":"h1","commandId":"c1","code":"stale-epoch","message":"x"}\n\n',
  );
  const heartbeat = next(reader);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await heartbeat).toBe(": still here\n\n");
  isOver = true;
  happen();
  expect(await next(reader)).toContain("id: 2");
  expect(await next(reader)).toBeUndefined();
  expect([ends, listeners.size]).toEqual([1, 0]);
});

test("for a client that reads slowly, the log is the buffer", async () => {
  for (let count = 0; count < 100; count += 1) happen("x".repeat(10_000));
  const reader = open(10).body.getReader();
  await vi.advanceTimersByTimeAsync(0);
  expect(reads).toBe(1);
  const texts = [];
  for (let count = 0; count < 91; count += 1) texts.push(await next(reader));
  expect(texts.at(1)).toContain("id: 11\n");
  expect(texts.at(-1)).toContain("id: 100\n");
});

test("a client that reads nothing at all is cut, and forgotten", async () => {
  for (let count = 0; count < 100; count += 1) happen("x".repeat(10_000));
  const reader = open().body.getReader();
  await vi.advanceTimersByTimeAsync(2_000);
  await expect(reader.read()).rejects.toThrow("too slowly");
  expect([ends, listeners.size, vi.getTimerCount()]).toEqual([1, 0, 0]);
});

test("a client that leaves is forgotten", async () => {
  const reader = open().body.getReader();
  await reader.cancel();
  expect([ends, listeners.size, vi.getTimerCount()]).toEqual([1, 0, 0]);
});
