import type { UpstreamContent } from "@siding/shared/command";
import type { NginxFeatures } from "./binary.ts";
import { banner, indent, lines, never } from "./config-text.ts";
import { InnerFolder } from "./layout.ts";
import type { Limits } from "./machine-limits.ts";
import { upstreamBlock } from "./upstream-block.ts";

/** The TCP part of the inner nginx's own config: no policy of its own, as in its HTTP part. */
export function renderStreamPart({ halfClose }: NginxFeatures, upstreams: string): string {
  return lines(
    "",
    "stream {",
    indent(
      lines(
        // The user's own nginx says how long a connection may be silent.
        `proxy_timeout ${never};`,
        // Then the next host is tried; nothing was sent to the first one yet.
        "proxy_connect_timeout 5s;",
        halfClose ? "proxy_half_close on;" : null,
        `include ${upstreams}/*${InnerFolder.suffixes.tcp};`,
      ),
    ),
    "}",
  );
}

/** The file of one TCP upstream. Where nothing is listed a connection is closed at once, in order. */
export function renderStreamUpstream(
  limits: Limits,
  folder: InnerFolder,
  content: UpstreamContent,
  generation: number,
): string {
  const { upstream, members } = content;
  const serves = members.length > 0;
  return lines(
    banner,
    serves ? upstreamBlock(content, null) : null,
    "server {",
    `    listen unix:${folder.socket(upstream)} backlog=${limits.backlog};`,
    serves ? `    proxy_pass ${upstream};` : '    return "";',
    "}",
    "",
    // Says which generation a worker has read to whoever connects.
    "server {",
    `    listen unix:${folder.statusSocketOf(upstream)};`,
    `    return "${generation}\\n";`,
    "}",
  );
}
