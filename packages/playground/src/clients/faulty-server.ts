import { type AddressInfo, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** What a server does with a request, given its path and how many it has had before. */
export type Behaviour = (socket: Socket, path: string, before: number, body: number) => void;

/** The answer of a healthy service. */
export function answer(
  path: string,
  over: { version?: string; status?: number; extra?: string; bytes?: number } = {},
) {
  const { version = "v1", status = 200, extra = "", bytes } = over;
  const body = JSON.stringify({ url: path, version, bytes });
  const head = `HTTP/1.1 ${status} X\r\nX-Version: ${version}\r\nContent-Length: ${body.length}\r\n${extra}\r\n`;
  return head + body;
}

/** A server of requests, byte by byte as `behaviour` likes. */
export async function serve(behaviour: Behaviour): Promise<{ address: string; port: number }> {
  let before = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      const headEnd = received.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      const wanted = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      const body = received.length - headEnd - 4;
      if (body < wanted) return;
      const [, path = ""] = received.split(" ", 2);
      received = "";
      behaviour(socket, path, before++, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
}
