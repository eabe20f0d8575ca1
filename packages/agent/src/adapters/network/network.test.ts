import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceName, TargetId } from "@siding/shared/ids";
import { afterEach, describe, expect, it } from "vitest";
import { markerOf } from "../process/marker.ts";
import { refOfPid } from "../process/proc.ts";
import { countOn } from "./connections.ts";
import { listenerOn } from "./listener.ts";
import { askHealth } from "./probe.ts";
import { canonicalAddress, eachPeer, parseTcpLine } from "./tcp-table.ts";

const open: (Server | Socket)[] = [];
afterEach(() => {
  for (const each of open.splice(0)) {
    if ("close" in each) each.close();
    else each.destroy();
  }
});

async function listening(
  address: string,
  server = createServer((socket) => open.push(socket)),
): Promise<number> {
  open.push(server);
  server.listen(0, address);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function connected(port: number, host: string, localAddress?: string): Promise<void> {
  const socket = connect({ port, host, ...(localAddress ? { localAddress } : {}) });
  open.push(socket);
  await once(socket, "connect");
}

const me = () => refOfPid(process.pid) ?? "";

describe("/proc/net/tcp", () => {
  it("is read as the kernel writes it", () => {
    const head =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
    const rest =
      "00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0";
    const lines = [
      `   0: 0101007F:1F90 0100007F:D431 01 ${rest}`,
      `   1: 00000000:0016 00000000:0000 0A ${rest}`,
      `   2: 0000000000000000FFFF00000101007F:1F90 0000000000000000FFFF00000200000A:D431 06 ${rest}`,
      `   3: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A ${rest}`,
    ];
    expect([head, ...lines, "broken line", ""].flatMap((line) => parseTcpLine(line) ?? [])).toEqual([
      {
        localAddress: "127.0.1.1",
        localPort: 8080,
        peerAddress: "127.0.0.1",
        state: "established",
        inode: "12345",
      },
      { localAddress: "0.0.0.0", localPort: 22, peerAddress: "0.0.0.0", state: "listening", inode: "12345" },
      { localAddress: "127.0.1.1", localPort: 8080, peerAddress: "10.0.0.2", state: "other", inode: "12345" },
      { localAddress: "2001:db8::1", localPort: 80, peerAddress: "::", state: "listening", inode: "12345" },
    ]);
  });

  it("is looked through for one own end, over the borders of its pieces", () => {
    const folder = mkdtempSync(join(tmpdir(), "siding-tcp-"));
    const path = join(folder, "tcp6");
    const rest =
      "00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0";
    const line = (own: string, peer: string, state: string) => `   0: ${own} ${peer} ${state} ${rest}\n`;
    const v6 = "B80D0120000000000000000001000000";
    const mapped = "0000000000000000FFFF00000101007F";
    const noise =
      line(`${mapped}:1F90`, `${mapped}:0050`, "06").repeat(1_000) + line(`${v6}:1F91`, `${v6}:0001`, "01");
    const wanted = line(`${mapped}:1F90`, "0000000000000000FFFF00000200000A:0001", "01");
    writeFileSync(path, `${noise}${wanted}${noise}${wanted}${line(`${v6}:1F90`, `${v6}:0001`, "01")}`);
    const peers: string[] = [];
    eachPeer(path, "127.0.1.1", 8080, (peer) => peers.push(peer));
    eachPeer(path, "2001:db8::1", 8080, (peer) => peers.push(peer));
    rmSync(folder, { recursive: true });
    expect(peers).toEqual(["10.0.0.2", "10.0.0.2", "2001:db8::1"]);
  });

  it.each([
    ["::FFFF:10.0.0.1", "10.0.0.1"],
    ["2001:0db8:0:0::1", "2001:db8::1"],
    ["10.0.0.1", "10.0.0.1"],
  ])("has one spelling for each address: %s", (written, canonical) => {
    expect(canonicalAddress(written)).toBe(canonical);
  });
});

describe("connections", () => {
  it("are counted by peer, on the service's own address and port only", async () => {
    const port = await listening("127.0.1.1");
    await connected(port, "127.0.1.1", "127.0.0.1");
    await connected(port, "127.0.1.1", "127.0.0.1");
    await connected(port, "127.0.1.1", "127.0.0.2");
    await connected(await listening("127.0.1.1"), "127.0.1.1");
    const counted = await countOn("127.0.1.1")(me(), port);
    expect(counted.ok && counted.value.toSorted((a, b) => b.count - a.count)).toEqual([
      { address: "127.0.0.1", count: 2 },
      { address: "127.0.0.2", count: 1 },
    ]);
    expect(await countOn("127.0.1.2")(me(), port)).toEqual({ ok: true, value: [] });
  });

  it("to a service that listens on everything are counted where it is reached", async () => {
    const port = await listening("::");
    await connected(port, "127.0.1.1", "127.0.0.3");
    expect(await countOn("127.0.1.1")(me(), port)).toEqual({
      ok: true,
      value: [{ address: "127.0.0.3", count: 1 }],
    });
  });

  it("of a process that is gone can't be counted", async () => {
    const result = await countOn("127.0.1.1")("99999999:1:00000000-0000-0000-0000-000000000000", 80);
    expect(result).toMatchObject({ ok: false, error: { code: "connections-unreadable" } });
  });
});

describe("a port", () => {
  it("is free, taken on its address, or taken on every address", async () => {
    const port = await listening("127.0.1.1");
    expect(listenerOn("127.0.1.1", port)).toMatch(
      new RegExp(`^pid ${process.pid} \\(.+\\) listens on 127.0.1.1:${port}$`),
    );
    expect(listenerOn("127.0.1.2", port)).toBeNull();
    expect(listenerOn("127.0.1.2", await listening("0.0.0.0"))).toContain("listens on 0.0.0.0");
  });
});

describe("whoever has a port", () => {
  it("is named with the service that it is of", async () => {
    const script =
      'require("net").createServer().listen(0, "127.0.1.1", function () { console.log(this.address().port) })';
    const mark = markerOf("/data", {
      ...{ service: "api" as ServiceName, slot: "green", startId: 3 },
      targetId: "v1@0123456789ab.1" as TargetId,
    });
    const child = spawn(process.execPath, ["-e", script], {
      env: mark,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const who = listenerOn("127.0.1.1", Number(line.toString()));
    child.kill("SIGKILL");
    expect(who).toMatch(new RegExp(`^pid ${child.pid} \\(.+, api/green\\) listens on 127.0.1.1`));
  });
});

describe("a health check", () => {
  const ask = (port: number, timeoutMs = 2_000) =>
    askHealth({ address: "127.0.1.1", port, question: { http: "/healthz" }, timeoutMs });
  const knock = (address: string, port: number, timeoutMs = 2_000) =>
    askHealth({ address, port, question: { tcp: true }, timeoutMs });
  const serving = (listener: RequestListener) => listening("127.0.1.1", createHttpServer(listener));

  it("brings the status back, and keeps no connection", async () => {
    const seen: (string | undefined)[] = [];
    const port = await serving((request, response) => {
      seen.push(request.url, request.headers.connection);
      response.writeHead(503).end("no");
    });
    expect(await ask(port)).toEqual({ kind: "status", status: 503 });
    expect(seen).toEqual(["/healthz", "close"]);
  });

  it("knows nobody, silence and nonsense apart", async () => {
    expect((await ask(1)).kind).toBe("refused");
    expect(await ask(await serving(() => {}), 50)).toEqual({ kind: "timeout" });
    const port = await listening(
      "127.0.1.1",
      createServer((socket) => socket.end("this is not HTTP\r\n\r\n")),
    );
    expect((await ask(port)).kind).toBe("error");
  });

  it("does not wait for a body that never ends", async () => {
    const port = await serving((_, response) => void response.writeHead(200).write("…"));
    expect(await ask(port, 200)).toEqual({ kind: "status", status: 200 });
  });

  it("that asks for a connection only is content with one, and keeps none", async () => {
    const seen: Promise<unknown>[] = [];
    const server = createServer((socket) => void seen.push(once(socket.resume(), "end")));
    const port = await listening("127.0.1.1", server);
    expect(await knock("127.0.1.1", port)).toEqual({ kind: "connected" });
    expect(await knock("127.0.1.1", await serving(() => {}))).toEqual({ kind: "connected" });
    expect((await knock("127.0.1.1", 1)).kind).toBe("refused");
    expect((await knock("127.0.1.2", port)).kind).toBe("refused");
    await Promise.all(seen);
    expect(seen).toHaveLength(1);
  });
});
