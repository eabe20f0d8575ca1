import type { UpstreamContent } from "@siding/shared/command";
import type { NginxFeatures } from "./binary.ts";
import { banner, indent, lines, never } from "./config-text.ts";
import { type EdgeLayout, InnerFolder, type UpstreamPlace } from "./layout.ts";
import type { Limits } from "./machine-limits.ts";
import { renderStreamPart, renderStreamUpstream } from "./render-stream.ts";
import type { StreamSupport } from "./stream-module.ts";
import { upstreamBlock } from "./upstream-block.ts";

export interface MainSettings {
  readonly layout: EdgeLayout;
  readonly features: NginxFeatures;
  readonly stream: StreamSupport;
  readonly limits: Limits;
  /** Who the workers run as; null leaves it to how nginx was built. */
  readonly workerUser: string | null;
}

/** 430 bytes each, touched when a worker starts: more would cost memory and turnover. Two serve one request. */
const mostConnections = 16_384;
/** Room for log, sockets and channels beside the connections. */
const spareFiles = 64;

/** No front's headers may be too long for inner; fronts are seldom set above 32k. */
const headerBytes = "64k";

/** Headers that nginx keeps to itself or acts upon unless told otherwise: they are the front's to see. */
const hiddenByNginx = [
  "Date",
  "Server",
  "X-Pad",
  "X-Accel-Expires",
  "X-Accel-Redirect",
  "X-Accel-Limit-Rate",
  "X-Accel-Buffering",
  "X-Accel-Charset",
];
const obeyedByNginx = [
  "X-Accel-Expires",
  "X-Accel-Redirect",
  "X-Accel-Limit-Rate",
  "X-Accel-Buffering",
  "X-Accel-Charset",
  "Expires",
  "Cache-Control",
  "Set-Cookie",
  "Vary",
];

/** The inner nginx's own config: no policy of its own (each directive stands for a way in which inner once bit). */
export function renderMain(
  settings: MainSettings,
  folder: InnerFolder,
  upstreams: string = folder.upstreams,
): string {
  const { layout, features, stream, limits, workerUser } = settings;
  const openFiles = Math.min(limits.openFiles, 65_536);
  const connections = Math.max(64, Math.min(mostConnections, openFiles - spareFiles));
  return lines(
    banner,
    stream.kind === "module" ? `load_module ${stream.path};` : null,
    workerUser === null ? null : `user ${plainUser(workerUser)};`,
    "worker_processes auto;",
    `worker_rlimit_nofile ${openFiles};`,
    `pid ${folder.pidFile};`,
    // Lower levels write a line for each request to a dead host: unbounded, and the front logs it anyway.
    `error_log ${layout.errorLog} crit;`,
    "",
    "events {",
    `    worker_connections ${connections};`,
    "}",
    "",
    "http {",
    indent(passEverything(features, folder)),
    "",
    indent(statusServer(folder, "_", 0)),
    "",
    `    include ${upstreams}/*${InnerFolder.suffixes.http};`,
    "}",
    stream.kind === "absent" ? null : renderStreamPart(features, upstreams),
  );
}

function passEverything(features: NginxFeatures, folder: InnerFolder): string {
  return lines(
    "access_log off;",
    "server_tokens off;",
    "default_type text/plain;",
    "server_names_hash_bucket_size 128;",
    "proxy_headers_hash_bucket_size 128;",
    "",
    "client_max_body_size 0;",
    "client_header_buffer_size 4k;",
    `large_client_header_buffers 8 ${headerBytes};`,
    "underscores_in_headers on;",
    "ignore_invalid_headers off;",
    `client_header_timeout ${never};`,
    `client_body_timeout ${never};`,
    `send_timeout ${never};`,
    // An idle connection from the front could be closed by a reload just when a request is on its way.
    "keepalive_timeout 0;",
    "",
    "proxy_http_version 1.1;",
    "proxy_buffering off;",
    // Else a slow upload opens a new connection to a removed host seconds after the drain.
    "proxy_request_buffering off;",
    `proxy_buffer_size ${headerBytes};`,
    `proxy_buffers 4 ${headerBytes};`,
    `proxy_busy_buffers_size 128k;`,
    "proxy_redirect off;",
    "proxy_set_header Host $http_host;",
    "proxy_set_header Upgrade $http_upgrade;",
    "proxy_set_header Connection $siding_connection;",
    "proxy_set_header TE $http_te;",
    ...hiddenByNginx.map((header) => `proxy_pass_header ${header};`),
    `proxy_ignore_headers ${obeyedByNginx.join(" ")};`,
    features.passTrailers ? "proxy_pass_trailers on;" : null,
    // Shorter than any front's read timeout, so that another host is tried before the front gives up.
    "proxy_connect_timeout 5s;",
    `proxy_send_timeout ${never};`,
    `proxy_read_timeout ${never};`,
    "proxy_next_upstream error timeout;",
    "",
    `client_body_temp_path ${folder.temp}/body;`,
    `proxy_temp_path ${folder.temp}/proxy;`,
    ...features.tempPaths.map((module) => `${module}_temp_path ${folder.temp}/${module};`),
    "",
    // Who is not named at all is spread, and not sent to one host.
    "map $http_x_forwarded_for $siding_forwarded {",
    "    default $http_x_forwarded_for;",
    "    '' $request_id;",
    "}",
    "map $http_x_real_ip $siding_client {",
    "    default $http_x_real_ip;",
    "    '' $siding_forwarded;",
    "}",
    "map $http_upgrade $siding_connection {",
    "    default upgrade;",
    // Without a header, so that the connection can be used again.
    "    '' '';",
    "}",
  );
}

/** Whom a request is from, behind the user's nginx: as its headers say (docs/edge.md). */
const clientBehindFront = "$siding_client";

/** Answers which generation a worker has read: the only proof that a reload had an effect. */
function statusServer(folder: InnerFolder, name: string, generation: number): string {
  return lines(
    "server {",
    `    listen unix:${folder.statusSocket};`,
    `    server_name ${name};`,
    `    return 200 "${generation}\\n";`,
    "}",
  );
}

/**
 * Where no host answers, the user's nginx shall see what it would see without us, a connection that ends, and say 502 by
 * its own `error_page`. An answer of ours would pass for the service's.
 */
const closeWhereHostsFail = [
  "    error_page 502 504 = @closed;",
  "    location @closed {",
  "        return 444;",
  "    }",
];

/**
 * The file of one upstream. It says nothing of the revision, so that a revision that changes nothing which nginx reads
 * has the same text and needs no reload.
 */
export function renderUpstream(
  { limits, features }: MainSettings,
  folder: InnerFolder,
  content: UpstreamContent,
  generation: number,
): string {
  const { upstream, members } = content;
  if (content.protocol === "tcp") return renderStreamUpstream(limits, folder, content, generation);
  const serves = members.length > 0;
  return lines(
    banner,
    serves ? upstreamBlock(content, { features, clientKey: clientBehindFront }) : null,
    "server {",
    `    listen unix:${folder.socket(upstream)} backlog=${limits.backlog};`,
    "    location / {",
    serves ? `        proxy_pass http://${upstream};` : "        return 503;",
    "    }",
    ...(serves ? closeWhereHostsFail : []),
    "}",
    "",
    statusServer(folder, upstream, generation),
  );
}

/** What the user's nginx includes. It never changes, so the user's nginx needs no reload for a rollout. */
export function renderInclude(layout: EdgeLayout, { upstream }: UpstreamPlace): string {
  return lines(
    banner,
    `upstream ${upstream} {`,
    `    server unix:${layout.stableSocket(upstream)} max_fails=0;`,
    "}",
  );
}

function plainUser(user: string): string {
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) throw new Error(`not a user's name: ${JSON.stringify(user)}`);
  return user;
}
