import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Target } from "../clients/connection.ts";
import { freePort } from "../processes/free-port.ts";
import { listening } from "../processes/listening.ts";
import type { Program } from "../processes/program.ts";
import type { Yard } from "../processes/yard.ts";
import { until } from "../until.ts";
import type { EdgeMode } from "./agent.ts";

const ADDRESS = "127.0.0.1";

/** Reading a config and binding a port. */
const LISTENING_DEADLINE_MS = 5_000;

/** An agent that has just started has to hear of the service first. */
const INCLUDE_DEADLINE_MS = 20_000;

export type FrontOptions = {
  readonly includeDir: string;
  readonly upstream: string;
  readonly mode: EdgeMode;
};

const TEMP_FOLDERS = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/**
 * The nginx of a user of ours: a plain server that proxies to a name, started once. In mode inner it is never reloaded; in
 * mode include the agent reloads it.
 */
export class Front {
  readonly target: Target;
  readonly #program: Program;

  private constructor(program: Program, port: number) {
    this.#program = program;
    this.target = { address: ADDRESS, port };
  }

  get url(): string {
    return `http://${this.target.address}:${this.target.port}`;
  }

  get pid(): number {
    return this.#program.pid;
  }

  /**
   * Starts it once the agent has written the upstream's file, as the docs tell the user to: an unknown upstream would
   * stop it from starting.
   */
  static async start(yard: Yard, name: string, { includeDir, upstream, mode }: FrontOptions): Promise<Front> {
    await until(
      `the file of upstream ${upstream} in ${includeDir}`,
      () => includes(includeDir, upstream),
      INCLUDE_DEADLINE_MS,
    );
    const port = await freePort([ADDRESS]);
    const folder = yard.path(name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/nginx.conf`, config(folder, { includeDir, upstream, mode }, port));
    const program = yard.start({
      name,
      command: "nginx",
      args: ["-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`],
    });
    await program.survives(listening(name, { address: ADDRESS, port }, LISTENING_DEADLINE_MS));
    return new Front(program, port);
  }
}

function includes(includeDir: string, upstream: string): boolean {
  const folder = `${includeDir}/http`;
  return readdirSync(folder)
    .filter((file) => file.endsWith(".conf"))
    .some((file) => readFileSync(`${folder}/${file}`, "utf8").includes(`upstream ${upstream} `));
}

function config(folder: string, { includeDir, upstream, mode }: FrontOptions, port: number): string {
  return `daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
worker_processes auto;
events { worker_connections 4096; }
http {
${tempPaths(folder)}
${userHttp(includeDir, upstream, `${ADDRESS}:${port}`, mode)}
}
`;
}

/** Where an nginx that is not the system's keeps what it has to put down. */
export function tempPaths(folder: string): string {
  return TEMP_FOLDERS.map((name) => `  ${name}_temp_path ${folder}/${name};`).join("\n");
}

/**
 * What a user of ours has in the `http {}` of a plain nginx. The headers are those that the docs ask of the user; large
 * sizes are for those who send large things.
 */
export function userHttp(
  includeDir: string,
  upstream: string,
  listen: string,
  mode: EdgeMode = "inner",
): string {
  return `  access_log off;
  client_max_body_size 100m;
  underscores_in_headers on;
  large_client_header_buffers 4 64k;
  proxy_buffer_size 64k;
  proxy_buffers 8 64k;
  proxy_busy_buffers_size 128k;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  include ${includeDir}/http/*.conf;
  server {
    listen ${listen} backlog=4096;
    location / {
${mode === "include" ? `      include ${includeDir}/bleed.conf;` : ""}
${proxyTo(upstream)}
    }
${mode === "include" ? bleedingLocation(upstream) : ""}
  }`;
}

function bleedingLocation(upstream: string): string {
  return `    location @siding_bleed {
      keepalive_timeout 0;
${proxyTo(upstream)}
    }`;
}

/** How a user hands requests to an upstream, inside a `location`. */
export function proxyTo(upstream: string): string {
  return `      proxy_pass http://${upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;`;
}
