import { expect, test } from "vitest";
import { until } from "../until.ts";
import { Connection } from "./connection.ts";
import { answer, serve } from "./faulty-server.ts";

const TIMEOUT_MS = 2_000;

async function open(target: { address: string; port: number }): Promise<Connection> {
  const connection = await Connection.open(target, TIMEOUT_MS);
  if (!(connection instanceof Connection)) throw new Error(connection.detail);
  return connection;
}

const ask = (connection: Connection) =>
  connection.exchange((socket) => void socket.write("GET /x HTTP/1.1\r\n\r\n"));

test("carries one request after the other", async () => {
  const connection = await open(await serve((socket, path) => void socket.write(answer(path))));
  expect(await ask(connection)).toMatchObject({ ok: true, status: 200 });
  expect(await ask(connection)).toMatchObject({ ok: true, status: 200 });
  connection.close();
});

test("an answer that comes when nothing was asked fails the next request", async () => {
  const target = await serve((socket, path, before) => {
    if (before === 0) socket.write(answer(path));
    setTimeout(() => socket.write("HTTP/1.1 408 Request Timeout\r\n\r\n"), 20);
  });
  const connection = await open(target);
  expect(await ask(connection)).toMatchObject({ ok: true });
  // The other's answer, though just as stray, leaves later than the one to be noticed here.
  await ask(await open(target));
  expect(await ask(connection)).toMatchObject({ reason: "surplus" });
});

test("an end between two requests is the server's right: not usable any more, and no failure", async () => {
  const target = await serve((socket, path) => {
    socket.write(answer(path));
    setTimeout(() => socket.end(), 20);
  });
  const connection = await open(target);
  expect(await ask(connection)).toMatchObject({ ok: true });
  await until("the end", () => !connection.usable, TIMEOUT_MS);
});

test("being idle for longer than a request may take is no timeout", async () => {
  const target = await serve((socket, path) => void socket.write(answer(path)));
  const connection = await Connection.open(target, 50);
  if (!(connection instanceof Connection)) throw new Error(connection.detail);
  expect(await ask(connection)).toMatchObject({ ok: true });
  const other = await Connection.open(target, 50);
  if (!(other instanceof Connection)) throw new Error(other.detail);
  // The other's request times out when the first has been idle for as long.
  expect(await other.exchange(() => {})).toMatchObject({ reason: "timeout" });
  expect(connection.usable).toBe(true);
  expect(await ask(connection)).toMatchObject({ ok: true });
});
