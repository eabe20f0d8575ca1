import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Member, UpstreamContent } from "@siding/shared/command";
import type { HostId, TargetId, UpstreamName } from "@siding/shared/ids";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AGENT_PROGRAM } from "./testing/program.fixture.ts";
import { AgentRig, until } from "./testing/rig.ts";

let rig: AgentRig;
let origin: { readonly port: number; status: number; close(): void };

beforeEach(async () => {
  rig = await AgentRig.up(["edge"]);
  await rig.upAndHeard();
  origin = await startOrigin();
});
afterEach(async () => {
  origin.close();
  await rig.down();
});

async function startOrigin() {
  const state = { status: 200 };
  const server = createServer((_, response) => response.writeHead(state.status).end("from the origin"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(state, { port: (server.address() as AddressInfo).port, close: () => server.close() });
}

function content(listed: boolean, attempt: number | null): UpstreamContent {
  const member: Member = {
    hostId: "h2" as HostId,
    slot: "blue",
    targetId: "v1@0123456789ab.1" as TargetId,
    address: "127.0.0.1",
    port: origin.port,
  };
  return {
    upstream: "web" as UpstreamName,
    members: listed ? [member] : [],
    shares: [],
    balance: "round-robin",
    watch: attempt === null ? [] : [{ ...member, attempt }],
    checks: {
      [member.targetId]: { http: "/healthz", intervalMs: 50, timeoutMs: 500, rise: 2, graceMs: 5_000 },
    },
  };
}

/** Through the socket that the user's nginx is given. */
async function throughEdge(): Promise<number | undefined> {
  const include = readFileSync(join(rig.folder, "include", "http", "web.conf"), "utf8");
  const socketPath = /server unix:([^;\s]+)/.exec(include)?.[1];
  if (socketPath === undefined) throw new Error(`no socket in ${include}`);
  const asked = get({ socketPath, path: "/", agent: false, headers: { host: "web" } });
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

const served = (revision: number) => () => rig.saidOfUpstream()?.serving?.revision === revision;

describe("an edge's agent", () => {
  it("watches an instance, lists it, and answers 503 without any", async () => {
    const watching = rig.apply(content(false, 3));
    await until("the first revision", served(watching));
    expect(await throughEdge()).toBe(503);
    await until("a good instance", () => rig.saidOfUpstream()?.probes[0]?.state === "good");
    expect(rig.saidOfUpstream()?.probes[0]?.attempt).toBe(3);
    origin.status = 500;
    await until("a bad instance", () => rig.saidOfUpstream()?.probes[0]?.detail === "status 500");
    origin.status = 200;
    const listed = rig.apply(content(true, null));
    await until("the second revision", served(listed));
    expect(await throughEdge()).toBe(200);
  });

  it("asks for a connection only where that is the check", async () => {
    origin.status = 500;
    const asked = content(false, 4);
    const [target = "" as TargetId] = Object.keys(asked.checks) as TargetId[];
    const tcp = { tcp: true as const, intervalMs: 50, timeoutMs: 500, rise: 2, graceMs: 5_000 };
    rig.apply({ ...asked, checks: { [target]: tcp } });
    await until("a good instance", () => rig.saidOfUpstream()?.probes[0]?.state === "good");
    origin.close();
    const detail = () => rig.saidOfUpstream()?.probes[0]?.detail;
    await until("nobody there", () => detail() !== undefined);
    expect(detail()).toBe("connection refused");
  });

  it("ejects who takes no connection any more, where that is the check", async () => {
    const others = [await startOrigin(), await startOrigin()];
    const asked = content(true, null);
    const [first] = asked.members;
    if (first === undefined) throw new Error("nobody is listed");
    const more = others.map(({ port }, index) => ({ ...first, hostId: `h${index + 3}` as HostId, port }));
    const tcp = { tcp: true as const, intervalMs: 50, timeoutMs: 500, rise: 2, graceMs: 5_000 };
    const revision = rig.apply({ ...asked, members: [first, ...more], checks: { [first.targetId]: tcp } });
    await until("the revision", served(revision));
    origin.close();
    await until("the ejection", () => (rig.saidOfUpstream()?.ejected.length ?? 0) > 0);
    for (const other of others) other.close();
    expect(rig.saidOfUpstream()?.ejected).toEqual([
      { hostId: "h2", slot: "blue", detail: "connection refused" },
    ]);
  });

  it("that is killed has served on, and says so without another reload", async () => {
    await until("the revision", served(rig.apply(content(true, null))));
    const before = rig.saidOfUpstream();
    rig.kill();
    expect(await throughEdge()).toBe(200);
    await rig.upAndHeard();
    expect(rig.saidOfUpstream()).toEqual(before);
  });

  it("whose machine has lost power serves nobody before it hears what is current, or has waited", async () => {
    await until("the revision", served(rig.apply(content(true, null))));
    const loseNginx = async () => {
      rig.kill();
      await rig.teardown();
    };
    await loseNginx();
    await rig.upAndHeard();
    expect(rig.saidOfUpstream()).toMatchObject({
      serving: null,
      trouble: {
        message: expect.stringContaining("so it serves nobody: it asks the control plane") as unknown,
      },
    });
    await expect(throughEdge()).rejects.toThrow("ENOENT");
    await until("the current revision", served(rig.apply(content(false, null))));
    expect(await throughEdge()).toBe(503);
    expect(rig.agentLog).not.toContain("edge-unheard");

    await until("the revision", served(rig.apply(content(true, null))));
    await loseNginx();
    rig.stopNats();
    rig.startAgent();
    await until("a loud word", () => /"level":50.*"event":"edge-unheard".*the last lists/.test(rig.agentLog));
    await until("the last list", () => existsSync(join(rig.folder, "run", "current", "web.sock")));
    expect(await throughEdge()).toBe(200);
  });

  it("that is killed at an apply applies it when it is back", async () => {
    await until("the revision", served(rig.apply(content(false, null))));
    const next = rig.apply(content(true, null));
    await until("its acceptance", () => rig.saidOfUpstream()?.revision === next);
    rig.kill();
    await rig.upAndHeard();
    await until("the revision", served(next));
    expect(await throughEdge()).toBe(200);
  });

  it("brings its nginx back when that is killed", async () => {
    await until("the revision", served(rig.apply(content(true, null))));
    const pidFile = join(rig.folder, "run", "current", "nginx.pid");
    const master = readFileSync(pidFile, "utf8").trim();
    execFileSync("kill", ["-9", master]);
    await until("another master", () => readFileSync(pidFile, "utf8").trim() !== master);
    expect(await throughEdge()).toBe(200);
    await until("a later revision", served(rig.apply(content(true, null))));
  });
});

describe("an edge's agent without an nginx that it can use", () => {
  let folder: string;
  let nginx: string;

  beforeEach(async () => {
    await rig.down();
    folder = mkdtempSync(join(tmpdir(), "siding-nginx-"));
    nginx = join(folder, "nginx");
    rig = await AgentRig.up(["edge"], nginx);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const putNginx = (script: string) => writeFileSync(nginx, `#!/bin/sh\n${script}\n`, { mode: 0o755 });

  it("for TCP refuses the TCP service in its reports, and serves HTTP", async () => {
    const hidden = "sed -e 's# --with-stream # #' -e 's# --modules-path=[^ ]*# --modules-path=/nonexistent#'";
    putNginx(`[ "$1" != -V ] || { nginx -V 2>&1 | ${hidden}; exit; }\nexec nginx "$@"`);
    await rig.upAndHeard();
    rig.apply({ ...content(true, null), upstream: "db" as UpstreamName, protocol: "tcp" });
    const words = /^upstream db is TCP, and nginx \S+ at .* has no stream module .*libnginx-mod-stream/;
    await until("the refusal", () => words.test(rig.saidOfUpstream()?.refused?.message ?? ""));
    await until("the HTTP service", served(rig.apply(content(true, null))));
    expect(await throughEdge()).toBe(200);
  });

  const words = /no nginx at '.*\/nginx' \(.*\); 1\.18\.0 or newer is needed\. Install it/;

  it("says what is missing, before it is started and in its reports, and serves once that is there", async () => {
    const checked = spawnSync(
      process.execPath,
      [AGENT_PROGRAM, "--config", join(rig.folder, "agent.yaml"), "--check"],
      { encoding: "utf8" },
    );
    expect([checked.status, checked.stderr]).toEqual([1, expect.stringMatching(words)]);
    await rig.upAndHeard();
    const revision = rig.apply(content(true, null));
    await until("its trouble", () => words.test(rig.saidOfUpstream()?.trouble?.message ?? ""));
    putNginx('exec nginx "$@"');
    await until("the revision", served(revision));
    expect(await throughEdge()).toBe(200);
  });
});
