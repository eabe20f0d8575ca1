import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Message } from "./message-reader.ts";
import { type Answered, exchange } from "./raw-client.ts";
import { RawOrigin, type Reply } from "./raw-origin.ts";
import { Rig, value, web } from "./rig.ts";

/** As docs/edge.md says, and a little of what users have besides. */
const documented = `
  proxy_http_version 1.1;
  proxy_set_header Host $host;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $http_connection;
  proxy_next_upstream off;`;

/** Lets everything pass that nginx can let pass. */
const open = `
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_request_buffering off;
  proxy_buffer_size 64k;
  proxy_buffers 4 64k;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $http_connection;
  proxy_set_header TE $http_te;
  proxy_pass_header Server;
  proxy_pass_header Date;
  proxy_pass_header X-Pad;
  proxy_pass_header X-Accel-Expires;
  proxy_pass_header X-Accel-Limit-Rate;
  proxy_pass_header X-Accel-Buffering;
  proxy_pass_header X-Accel-Charset;
  proxy_ignore_headers X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;`;

const server =
  "client_max_body_size 0; location /internal/ { internal; return 200 'from the front'; } port_in_redirect off;";
const roomy =
  "large_client_header_buffers 8 64k; underscores_in_headers on; ignore_invalid_headers off; merge_slashes off;";
const ownPages =
  "server_name shop.example; gzip on; gzip_proxied any; error_page 502 503 504 /sorry; location = /sorry { internal; return 502 'sorry, says the front'; }";

const fronts = {
  "a front by the documentation": { location: documented, server: `${server} ${ownPages}` },
  "a front that is as open as can be": { location: open, server: `${server} ${roomy}` },
  "a front with nothing but proxy_pass": { location: "", server },
};
export type FrontName = keyof typeof fronts;
export const frontNames = Object.keys(fronts) as FrontName[];

/** `alone`: the front is straight before the service. `inner`: Siding's nginx is between them. */
export type Way = "alone" | "inner";
export const ways: readonly Way[] = ["alone", "inner"];

/** What a request and its answer came to, at both ends. */
export interface Seen {
  /** Null where nothing reached the service. */
  readonly heard: Message | null;
  readonly got: Answered;
}

/** The same fronts of a user's twice, with and without an edge, and one service behind all of them. */
export class TwinFronts {
  readonly rig: Rig;
  readonly origin: RawOrigin;
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(rig: Rig, origin: RawOrigin, ports: ReadonlyMap<string, number>) {
    this.rig = rig;
    this.origin = origin;
    this.#ports = ports;
  }

  static async start(): Promise<TwinFronts> {
    const rig = new Rig();
    const origin = await RawOrigin.listen();
    value(await rig.edge.start());
    value(await rig.edge.apply(web([origin.member]), 1));
    const ports = new Map<string, number>();
    const includes = { alone: includeWithoutSiding(rig.folder, origin.port), inner: rig.config.includeDir };
    for (const way of ways) {
      const servers = frontNames.map((name) => fronts[name]);
      const taken = await rig.fronts(servers, includes[way]);
      for (const [index, name] of frontNames.entries()) ports.set(`${name}/${way}`, taken[index] ?? 0);
    }
    return new TwinFronts(rig, origin, ports);
  }

  port(front: FrontName, way: Way): number {
    return this.#ports.get(`${front}/${way}`) ?? 0;
  }

  /** One request on a connection of its own, as it was heard and as it was answered. */
  async seen(front: FrontName, way: Way, request: readonly (string | Buffer)[], reply: Reply): Promise<Seen> {
    this.origin.reply = reply;
    const got = await exchange(this.port(front, way), request);
    return { heard: this.origin.take(), got };
  }

  async close(): Promise<void> {
    await this.origin.close();
    await this.rig.close();
  }
}

function includeWithoutSiding(folder: string, port: number): string {
  const includeDir = join(folder, "without-siding");
  mkdirSync(join(includeDir, "http"), { recursive: true });
  const upstream = `upstream web { server 127.0.0.1:${port} max_fails=0; }\n`;
  writeFileSync(join(includeDir, "http/web.conf"), upstream);
  return includeDir;
}
