import { isIP } from "node:net";
import type { Member, UpstreamContent } from "@siding/shared/command";
import type { Balance } from "@siding/shared/spec";
import type { NginxFeatures } from "./binary.ts";
import { lines } from "./config-text.ts";

/**
 * Connections to hosts are used again: 1.8 times the throughput with tiny replies. But a host that closes an idle one just
 * when a POST is on its way costs that POST (measured: 1 of 300 at nginx's own 60 s), so nginx has to be the first to
 * close: the shortest idle timeout that a common server has is 2 s. A drain is not held up: a worker that is asked to
 * finish closes what is idle.
 */
const keepConnections = ["    keepalive 64;", "    keepalive_timeout 500ms;"];

/** What only HTTP has: connections that are used again, and nginx's word for whom a request is from. */
interface HttpPart {
  readonly features: NginxFeatures;
  readonly clientKey: string;
}

/** Who is in an upstream, and how nginx chooses. `http`: null in a `stream {}`. */
export function upstreamBlock(content: UpstreamContent, http: HttpPart | null): string {
  return lines(
    `upstream ${content.upstream} {`,
    // All workers share one rotation and one count of connections. A server takes about a kilobyte.
    `    zone ${content.upstream} ${64 + 2 * content.members.length}k;`,
    balancing(content.balance, http?.clientKey),
    // Who is a member is the ledger's to say: restarting all in turn would otherwise mark all of them failed.
    ...content.members.map(
      (member) => `    server ${socketAddress(member)}${weight(content, member)} max_fails=0;`,
    ),
    ...(http?.features.keepsConnections ? keepConnections : []),
    "}",
  );
}

/** nginx's directive for a way to choose; before `keepalive`, as nginx wants it. */
function balancing(balance: Balance, clientKey = "$remote_addr"): string | null {
  switch (balance) {
    case "round-robin":
    case "weighted":
      return null;
    case "least-conn":
      return "    least_conn;";
    case "ip-hash":
      // Consistent: a host that leaves moves its own clients only.
      return `    hash ${clientKey} consistent;`;
    case "least-time":
      return "    least_time header;";
  }
}

function weight({ balance }: UpstreamContent, member: Member): string {
  const { weight: share = 1 } = member;
  return balance === "weighted" && share !== 1 ? ` weight=${share}` : "";
}

function socketAddress({ address, port }: Pick<Member, "address" | "port">): string {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) throw new Error(`not an address: ${JSON.stringify(address)}`);
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
