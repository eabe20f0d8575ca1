import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import type { Target } from "../clients/connection.ts";
import { freePort } from "../processes/free-port.ts";
import { listening } from "../processes/listening.ts";
import type { Yard } from "../processes/yard.ts";
import { until } from "../until.ts";

const ADDRESS = "127.0.0.1";
/** An agent that has just started has to hear of the service first. */
const INCLUDE_DEADLINE_MS = 20_000;
const LISTENING_DEADLINE_MS = 5_000;

/** Where Debian's nginx has TCP from. */
const MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** What an nginx.conf needs for `stream {}` on this machine; null where its nginx can't. */
export function streamModule(): string | null {
  if (existsSync(MODULE)) return `load_module ${MODULE};`;
  const { stderr } = spawnSync("nginx", ["-V"], { encoding: "utf8" });
  return / --with-stream(\s|$)/m.test(stderr) ? "" : null;
}

/** The `stream {}` of a user of ours: a plain server that passes connections to a name, started once and never reloaded. */
export async function startTcpFront(
  yard: Yard,
  { includeDir, upstream }: { readonly includeDir: string; readonly upstream: string },
): Promise<Target> {
  const included = `${includeDir}/stream/${upstream}.conf`;
  await until(`the file ${included}`, () => existsSync(included), INCLUDE_DEADLINE_MS);
  const port = await freePort([ADDRESS]);
  const name = `tcp-front-${upstream}`;
  const folder = yard.path(name);
  mkdirSync(folder);
  writeFileSync(
    `${folder}/nginx.conf`,
    `${streamModule() ?? ""}
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
worker_processes auto;
events { worker_connections 4096; }
stream {
  include ${includeDir}/stream/*.conf;
  server { listen ${ADDRESS}:${port} backlog=4096; proxy_pass ${upstream}; }
}
`,
  );
  const args = ["-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`];
  const program = yard.start({ name, command: "nginx", args });
  const target = { address: ADDRESS, port };
  await program.survives(listening(name, target, LISTENING_DEADLINE_MS));
  return target;
}
