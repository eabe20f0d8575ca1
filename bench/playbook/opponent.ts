// The same fleet as a playbook deploys it: the same service on as many addresses, and one nginx that lists them all.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import type { Target } from "@siding/playground/clients/connection";
import { tempPaths } from "@siding/playground/fleet/front";
import { freePort } from "@siding/playground/processes/free-port";
import { listening } from "@siding/playground/processes/listening";
import type { Yard } from "@siding/playground/processes/yard";
import { packRelease } from "@siding/playground/service/releases";
import { until } from "@siding/playground/until";
import { stringify } from "yaml";

const PLAYBOOK = `${import.meta.dirname}/deploy.yml`;
const VERSIONS = ["v1", "v2"];
const START = "node server.mjs";

/** Twenty Nodes starting side by side on two cores. */
const STARTED_DEADLINE_MS = 30_000;
const ENDED_DEADLINE_MS = 15_000;

/** What a playbook needs to know of a fleet. */
interface Layout {
  readonly folder: string;
  readonly addresses: readonly string[];
  readonly port: number;
  /** Where nginx listens. */
  readonly listen: number;
}

/** A fleet that is deployed by ansible. */
export class Opponent {
  readonly target: Target;
  readonly #yard: Yard;
  readonly #layout: Layout;
  #runs = 0;

  private constructor(yard: Yard, layout: Layout) {
    this.#yard = yard;
    this.#layout = layout;
    this.target = { address: "127.0.0.1", port: layout.listen };
  }

  /** Starts `hosts` services at v1 and the nginx before them. They end with the yard. */
  static async start(yard: Yard, name: string, hosts: number): Promise<Opponent> {
    const folder = yard.path(name);
    const addresses = Array.from({ length: hosts }, (_, index) => `127.0.3.${index + 1}`);
    const layout = {
      folder,
      addresses,
      port: await freePort(addresses),
      listen: await freePort(["127.0.0.1"]),
    };
    writeFiles(layout);
    await yard.run({ name: `${name}-unpack`, command: "sh", args: ["-c", unpackAll(layout)] });
    for (const address of addresses) startFirst(yard, name, layout, address);
    yard.beforeClose("ending what the playbook started", () => killAll(layout));
    await Promise.all(
      addresses.map((address) =>
        listening("the service", { address, port: layout.port }, STARTED_DEADLINE_MS),
      ),
    );
    const args = ["-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`];
    yard.start({ name: `${name}-nginx`, command: "nginx", args });
    const opponent = new Opponent(yard, layout);
    await listening("nginx", opponent.target, STARTED_DEADLINE_MS);
    return opponent;
  }

  /** Runs the playbook to this version. Gives how long it took, in ms. Errors: throws with the playbook's output. */
  async deploy(version: string, batch: number): Promise<number> {
    const { folder } = this.#layout;
    this.#runs += 1;
    const variables = JSON.stringify({ version, batch, artifact: `${folder}/${version}.tar.gz` });
    const args = [`ANSIBLE_CONFIG=${folder}/ansible.cfg`, "ansible-playbook", "-i", `${folder}/hosts.yml`];
    const startedMs = performance.now();
    await this.#yard.run({
      name: `ansible-${this.#runs}`,
      command: "env",
      args: [...args, "-e", variables, PLAYBOOK],
    });
    return performance.now() - startedMs;
  }
}

function writeFiles(layout: Layout): void {
  const { folder, addresses } = layout;
  for (const address of addresses) {
    for (const version of VERSIONS) mkdirSync(`${folder}/${address}/${version}`, { recursive: true });
    symlinkSync("v1", `${folder}/${address}/current`);
  }
  for (const version of VERSIONS) {
    writeFileSync(`${folder}/${version}.tar.gz`, packRelease({ version, variant: "sound" }));
  }
  writeFileSync(`${folder}/ansible.cfg`, ansibleConfig(folder));
  writeFileSync(`${folder}/hosts.yml`, stringify(inventory(layout)));
  writeFileSync(`${folder}/upstream.conf`, upstream(layout));
  writeFileSync(`${folder}/nginx.conf`, nginxConfig(layout));
}

/** The first release, as an earlier run of the playbook would have left it. */
function unpackAll({ folder, addresses }: Layout): string {
  return addresses.map((address) => `tar -xzf ${folder}/v1.tar.gz -C ${folder}/${address}/v1`).join(" && ");
}

function startFirst(yard: Yard, name: string, { folder, port }: Layout, address: string): void {
  const script = `cd ${folder}/${address}/current && ADDRESS=${address} PORT=${port} exec ${START}`;
  const program = yard.start({ name: `${name}-${address}`, command: "sh", args: ["-c", script] });
  writeFileSync(`${folder}/${address}/pid`, String(program.pid));
}

/** Returns when they have ended: the playbook starts them behind the yard's back. */
async function killAll({ folder, addresses }: Layout): Promise<void> {
  const pids = addresses.map((address) => Number(readFileSync(`${folder}/${address}/pid`, "utf8")));
  for (const pid of pids) signalled(pid, "SIGTERM");
  await until(
    "the playbook's services to end",
    () => pids.every((pid) => !signalled(pid, 0)),
    ENDED_DEADLINE_MS,
  );
}

/** False where there is no such process any more. */
function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** As quick as it goes: every host of a batch at once, no search for a Python. */
function ansibleConfig(folder: string): string {
  return `[defaults]
forks = 20
gathering = explicit
interpreter_python = /usr/bin/python3
local_tmp = ${folder}/ansible
remote_tmp = ${folder}/ansible
retry_files_enabled = false
nocows = true
`;
}

function inventory({ folder, addresses, port }: Layout) {
  const reload = `nginx -e ${folder}/error.log -c ${folder}/nginx.conf -s reload`;
  const vars = { port, start: START, upstream_file: `${folder}/upstream.conf`, reload };
  const hosts: Record<string, object> = {};
  for (const address of addresses) hosts[address] = { address, folder: `${folder}/${address}` };
  return { web: { vars, hosts } };
}

function upstream({ addresses, port }: Layout): string {
  const servers = addresses.map((address) => `  server ${address}:${port};\n`).join("");
  return `upstream web {\n${servers}  keepalive 16;\n}\n`;
}

function nginxConfig({ folder, listen }: Layout): string {
  return `daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
worker_processes auto;
events { worker_connections 4096; }
http {
${tempPaths(folder)}
  access_log off;
  client_max_body_size 100m;
  include ${folder}/upstream.conf;
  server {
    listen 127.0.0.1:${listen} backlog=4096;
    location / {
      proxy_pass http://web;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}
