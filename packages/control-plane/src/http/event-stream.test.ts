import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EventStream, type MessageSource } from "./event-stream.ts";

const options = { heartbeatMs: 1_000, patienceHeartbeats: 2 };
let log: number[];
let text: string;
let isOver: boolean;
let listeners: Set<() => void>;
let reads: number;
let ends: number;

function sourceAfter(after: number): MessageSource {
  let cursor = after;
  return {
    read: () => {
      reads += 1;
      const page = log.filter((id) => id > cursor).slice(0, 10);
      cursor = page.at(-1) ?? cursor;
      return page.map((id) => ({ id, event: "happened", data: { text } }));
    },
    isOver: () => isOver,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  [log, isOver, listeners, reads, ends] = [[], false, new Set(), 0, 0];
});
afterEach(() => vi.useRealTimers());

const open = (after = 0) =>
  new EventStream(sourceAfter(after), options, () => {
    ends += 1;
  });

function happen(said = "x"): void {
  text = said;
  log.push(log.length + 1);
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
  expect(await first).toBe('id: 1\nevent: happened\ndata: {"text":"x"}\n\n');
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
