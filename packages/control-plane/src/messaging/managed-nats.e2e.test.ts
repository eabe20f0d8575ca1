import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node";
import type { HostId } from "@siding/shared/ids";
import { pino } from "pino";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { keptPort } from "../data-dir/ports.ts";
import { identityOf } from "../data-dir/process-identity.ts";
import { Link } from "./link.ts";
import { ManagedNats, type ManagedNatsOptions } from "./managed-nats.ts";

const log = pino({ level: "silent" });
const patience = { timeout: 15_000, interval: 20 };
let folder: string;
let options: ManagedNatsOptions;
const running: ManagedNats[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "nats-"));
  const port = await keptPort(join(folder, "ports.json"), "nats", "127.0.0.1", 0);
  const hosts = ["h1", "h2"].map((id) => ({ hostId: id as HostId, token: `token-of-${id}-000000` }));
  options = {
    binary: "nats-server",
    folder: join(folder, "nats"),
    listen: { host: "127.0.0.1", port },
    hosts,
    log,
  };
});

afterEach(async () => {
  for (const nats of running.splice(0)) await nats.stop();
});

async function start(change: Partial<ManagedNatsOptions> = {}): Promise<ManagedNats> {
  const nats = await ManagedNats.start({ ...options, ...change });
  if (!nats.ok) throw new Error(nats.error.message);
  running.push(nats.value);
  return nats.value;
}

async function agent(nats: ManagedNats, id: string): Promise<NatsConnection> {
  const connection = await connect({
    servers: nats.url,
    user: id,
    pass: `token-of-${id}-000000`,
    reconnectTimeWait: 20,
  });
  onTestFinished(() => connection.close());
  return connection;
}

function linkTo(nats: ManagedNats) {
  const heard: string[] = [];
  const standing: string[] = [];
  const hear = (subject: string, bytes: Uint8Array) =>
    heard.push(`${subject} ${new TextDecoder().decode(bytes)}`);
  const link = new Link({
    ...{ url: nats.url, user: nats.user, password: nats.password, log },
    subscriptions: { "siding.v1.from.*.report": hear, "siding.v1.from.*.beat": hear },
    onConnected: () => standing.push("up"),
    onDisconnected: () => standing.push("down"),
  });
  link.start();
  onTestFinished(() => link.stop());
  return { link, heard, standing };
}

/** What the server says about a subscription that it refuses. */
async function refusalOf(connection: NatsConnection, subject: string): Promise<unknown> {
  const refused = new Promise((resolve) => {
    connection.subscribe(subject, { callback: (error) => resolve(error) });
  });
  await connection.flush();
  return refused;
}

test("an agent speaks as itself and hears what is meant for it; NATS refuses everything else", async () => {
  const nats = await start();
  const { link, heard } = linkTo(nats);
  await vi.waitFor(() => expect(link.isConnected).toBe(true), patience);
  const [h1, h2] = [await agent(nats, "h1"), await agent(nats, "h2")];
  for (const subject of ["siding.v1.to.h2.cmd", "siding.v1.to.>", "siding.v1.from.h1.report", ">"]) {
    expect(await refusalOf(h1, subject)).toBeInstanceOf(PermissionViolationError);
  }
  const commands: string[] = [];
  h1.subscribe("siding.v1.to.h1.>", { callback: (_, message) => void commands.push(message.string()) });
  await h1.flush();
  h2.publish("siding.v1.from.h1.report", "forged");
  h2.publish("siding.v1.to.h1.cmd", "forged");
  h2.publish("siding.v1.from.h2.report", "mine");
  await h2.flush();
  link.publish("siding.v1.to.h1.cmd", new TextEncoder().encode("drain"));
  await vi.waitFor(
    () => expect([commands, heard]).toEqual([["drain"], ["siding.v1.from.h2.report mine"]]),
    patience,
  );
});

test("who is not declared, or has another token, does not get in", async () => {
  const nats = await start();
  for (const user of ["h3", "h1", nats.user]) {
    await expect(connect({ servers: nats.url, user, pass: "guessed" })).rejects.toThrow(/uthorization/);
  }
  await expect(connect({ servers: nats.url })).rejects.toThrow(/uthorization/);
  for (const file of ["nats-server.conf", "control-plane.secret"]) {
    expect(statSync(join(options.folder, file)).mode & 0o777).toBe(0o600);
  }
});

test("killed, the server is back on its port, and everybody on it", async () => {
  const nats = await start();
  const { link, heard, standing } = linkTo(nats);
  await vi.waitFor(() => expect(link.isConnected).toBe(true), patience);
  const h1 = await agent(nats, "h1");
  const { pid } = nats;
  process.kill(pid, "SIGKILL");
  await vi.waitFor(() => expect(standing).toEqual(["up", "down", "up"]), patience);
  await vi.waitFor(() => expect(nats.pid).not.toBe(pid), patience);
  await vi.waitFor(() => {
    h1.publish("siding.v1.from.h1.beat", "alive");
    expect(heard).toContain("siding.v1.from.h1.beat alive");
  }, patience);
});

/** A control plane that started its server and was killed before it could end it. Gives the server's pid. */
async function killedControlPlane(): Promise<number> {
  const program = `
    import { pino } from "pino";
    import { ManagedNats } from ${JSON.stringify(new URL("./managed-nats.ts", import.meta.url).href)};
    const nats = await ManagedNats.start({ ...${JSON.stringify(options)}, log: pino({ level: "silent" }) });
    process.stdout.write(nats.value.pid + "\\n");`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  child.kill("SIGKILL");
  await once(child, "exit");
  return Number(String(line));
}

test("one left over by a killed control plane is taken over as it runs, and watched", async () => {
  const left = await killedControlPlane();
  const nats = await start();
  expect(nats.pid).toBe(left);
  process.kill(left, "SIGKILL");
  await vi.waitFor(() => expect(nats.pid).not.toBe(left), patience);
  expect(identityOf(nats.pid)).not.toBeNull();
});

test("left over with other hosts in its config, it is replaced on the same port", async () => {
  const left = await killedControlPlane();
  const nats = await start({ hosts: options.hosts.slice(0, 1) });
  expect(identityOf(left)).toBeNull();
  await agent(nats, "h1");
  await expect(agent(nats, "h2")).rejects.toThrow(/uthorization/);
});

test("left over and no longer answering, it is replaced", async () => {
  const left = await killedControlPlane();
  process.kill(left, "SIGSTOP");
  await vi.waitFor(() => expect(readFileSync(`/proc/${left}/stat`, "utf8")).toContain(" T "), patience);
  await agent(await start(), "h1");
  expect(identityOf(left)).toBeNull();
});

test("ended with us, it leaves nothing", async () => {
  const nats = await start();
  await nats.stop();
  expect(identityOf(nats.pid)).toBeNull();
});

test("a binary that is not there, and a port that somebody else has, are named", async () => {
  expect(await ManagedNats.start({ ...options, binary: "no-such-nats" })).toMatchObject({
    ok: false,
    error: { code: "nats-not-startable", message: expect.stringContaining("'no-such-nats'") as unknown },
  });
  const other = createServer().listen(options.listen.port, "127.0.0.1");
  onTestFinished(() => void other.close());
  expect(await ManagedNats.start(options)).toMatchObject({
    ok: false,
    error: {
      code: "nats-not-listening",
      message: expect.stringMatching(/127\.0\.0\.1:\d+: .*in use/) as unknown,
    },
  });
});

test("tokens stand in the config file as they are", async () => {
  await start();
  const config = readFileSync(join(options.folder, "nats-server.conf"), "utf8");
  expect(config).toContain('"token-of-h1-000000"');
});
