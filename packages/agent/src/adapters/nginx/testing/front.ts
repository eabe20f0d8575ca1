import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { NginxEdgeConfig } from "../edge.ts";
import { until } from "../waiting.ts";
import { ask } from "./strict-client.ts";

/** A stock nginx as the user would run it: it includes the edge's files and is never reloaded. */
export interface Front {
  readonly port: number;
  stop(): Promise<void>;
}

/** `settings`: the user's own, in front of the `proxy_pass`. */
export async function startFront(
  { nginx, includeDir }: Pick<NginxEdgeConfig, "nginx" | "includeDir">,
  folder: string,
  settings = "",
): Promise<Front> {
  const port = await freePort();
  const config = join(folder, "front.conf");
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
  server {
    listen 127.0.0.1:${port};
    location / { ${settings}
      proxy_pass http://web;
    }
  }
}
`,
  );
  execFileSync(nginx, ["-t", "-q", "-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  const master = spawn(nginx, ["-c", config], { stdio: "ignore" });
  const ended = once(master, "exit");
  const listens = () =>
    ask({ port }).then(
      () => true,
      () => false,
    );
  if (!(await until(listens, { everyMs: 10, withinMs: 5_000 }))) throw new Error("the front does not answer");
  return {
    port,
    stop: async () => {
      master.kill("SIGTERM");
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
