import type { UpstreamContent } from "@siding/shared/command";
import type { NginxFeatures } from "./binary.ts";
import { banner, lines } from "./config-text.ts";
import { upstreamBlock } from "./upstream-block.ts";

/** An idle connection of a client is closed by a reload no earlier than this, where nginx can be told so. */
const keepaliveMin = "1s";

/** The host by which an upstream's status is asked: no request of a client can be meant by it. */
export function statusName(upstream: string): string {
  return `${upstream}.siding-status`;
}

/** The file of one upstream in mode `include`: the user's nginx lists the hosts itself. */
export function renderIncluded(
  features: NginxFeatures,
  statusPort: number,
  content: UpstreamContent,
  generation: number,
): string {
  const { upstream } = content;
  return lines(
    banner,
    content.members.length > 0
      ? upstreamBlock(content, { features, clientKey: "$remote_addr" })
      : emptyUpstream(upstream, statusPort),
    "",
    "server {",
    `    listen 127.0.0.1:${statusPort};`,
    `    server_name ${statusName(upstream)};`,
    "    access_log off;",
    `    return 200 "${generation}\\n";`,
    "}",
  );
}

/** Whoever is sent here is told that nobody serves: an empty upstream would keep nginx from starting. */
function emptyUpstream(upstream: string, statusPort: number): string {
  return lines(`upstream ${upstream} {`, `    server 127.0.0.1:${statusPort} max_fails=0;`, "}");
}

/** The file that all upstreams share. `_` is in no upstream's name. */
export function renderShared(features: NginxFeatures, statusPort: number): string {
  return lines(
    banner,
    features.keepaliveMinTimeout ? `keepalive_min_timeout ${keepaliveMin};` : null,
    "server_names_hash_bucket_size 128;",
    "server {",
    `    listen 127.0.0.1:${statusPort} default_server;`,
    "    server_name _;",
    "    access_log off;",
    "    return 503;",
    "}",
  );
}

/**
 * What the user includes in a location that proxies to an upstream: while the flag is there, the request goes to the
 * user's own `@siding_bleed`, which is the same location with `keepalive_timeout 0`.
 */
export function renderBleed(flag: string): string {
  return lines(banner, "error_page 418 = @siding_bleed;", `if (-f ${flag}) {`, "    return 418;", "}");
}
