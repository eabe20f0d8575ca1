import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import type { NginxEdgeConfig } from "../edge.ts";
import { until } from "../waiting.ts";

/** A stock nginx as the user would run it: it includes the edge's files and is never reloaded. */
export interface Front {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** One of the user's servers, on a port of its own. */
export interface FrontServer {
  /** In its `server {}`. */
  readonly server?: string;
  /** In its `location / {}`, in front of the `proxy_pass`. */
  readonly location?: string;
}

type FrontPlace = Pick<NginxEdgeConfig, "nginx" | "includeDir"> & { readonly folder: string };

/** `settings`: the user's own, in front of the `proxy_pass`. */
export async function startFront(place: FrontPlace, settings = ""): Promise<Front> {
  const { ports, stop } = await startFronts(place, [{ location: settings }]);
  const [port] = ports;
  if (port === undefined) throw new Error("a front without a port");
  return { port, stop };
}

/** One nginx with these servers. */
export async function startFronts(
  { nginx, includeDir, folder }: FrontPlace,
  servers: readonly FrontServer[],
): Promise<{ readonly ports: readonly number[]; readonly stop: () => Promise<void> }> {
  const ports = await Promise.all(servers.map(() => freePort()));
  const config = join(folder, "front.conf");
  const blocks = servers.map((server, index) => serverBlock(server, ports[index] ?? 0));
  writeFileSync(
    config,
    `worker_processes 2;
pid ${folder}/front.pid;
error_log ${folder}/front.log;
daemon off;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path ${folder}/front-body;
  proxy_temp_path ${folder}/front-proxy;
  include ${includeDir}/http/*.conf;
${blocks.join("\n")}
}
`,
  );
  return { ports, stop: await launch(nginx, config, ports) };
}

/** An nginx with a `stream {}` that passes connections to an upstream of the edge's. */
export async function startTcpFront(
  { nginx, includeDir, folder }: FrontPlace,
  { upstream, module }: { readonly upstream: string; readonly module: string | null },
): Promise<Front> {
  const port = await freePort();
  const config = join(folder, "tcp-front.conf");
  writeFileSync(
    config,
    `${module === null ? "" : `load_module ${module};`}
worker_processes 2;
pid ${folder}/tcp-front.pid;
error_log ${folder}/tcp-front.log;
daemon off;
events { worker_connections 1024; }
stream {
  include ${includeDir}/stream/*.conf;
  server { listen 127.0.0.1:${port}; proxy_pass ${upstream}; }
}
`,
  );
  return { port, stop: await launch(nginx, config, [port]) };
}

/** Starts an nginx, and gives the way to stop it. */
async function launch(nginx: string, config: string, ports: readonly number[]): Promise<() => Promise<void>> {
  execFileSync(nginx, ["-t", "-q", "-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  const master = spawn(nginx, ["-c", config], { stdio: "ignore" });
  const ended = once(master, "exit");
  if (!(await until(() => accepts(ports[0] ?? 0), { everyMs: 10, withinMs: 5_000 }))) {
    throw new Error("the front does not listen");
  }
  return async () => {
    master.kill("SIGTERM");
    await ended;
  };
}

function serverBlock({ server = "", location = "" }: FrontServer, port: number): string {
  return `  server {
    listen 127.0.0.1:${port};
    ${server}
    location / { ${location}
      proxy_pass http://web;
    }
  }`;
}

/** nginx takes all its ports before it serves any. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
