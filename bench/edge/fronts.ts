import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { Target } from "@siding/playground/clients/connection";
import type { Edge } from "@siding/playground/fleet/fleet";
import { SERVICE } from "@siding/playground/fleet/service-spec";
import { freePort } from "@siding/playground/processes/free-port";
import { listening } from "@siding/playground/processes/listening";
import type { Yard } from "@siding/playground/processes/yard";

const ADDRESS = "127.0.0.1";
const LISTENING_DEADLINE_MS = 10_000;

/** Where one edge's front answers in the clear and by TLS. */
export interface Doors {
  readonly http: Target;
  readonly https: Target;
}

/** Made for this run and gone with its yard. */
export interface Certificate {
  readonly file: string;
  readonly keyFile: string;
}

export function makeCertificate(yard: Yard): Certificate {
  const [file, keyFile] = [yard.path("bench.crt"), yard.path("bench.key")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  const subject = ["-days", "2", "-subj", "/CN=siding.bench", "-out", file];
  execFileSync("openssl", ["req", "-x509", ...key, ...subject], { stdio: "pipe" });
  return { file, keyFile };
}

/**
 * Gives an edge's front two more servers and reloads it, as its user would: the same for both modes, with connections to
 * whatever is behind that may be used again.
 */
export async function openDoors(yard: Yard, edge: Edge, { file, keyFile }: Certificate): Promise<Doors> {
  const [port, tlsPort] = [await freePort([ADDRESS]), await freePort([ADDRESS])];
  const config = yard.path(`front-${edge.agent.hostId}`, "nginx.conf");
  const server = `  server {
    listen ${ADDRESS}:${port} backlog=4096;
    listen ${ADDRESS}:${tlsPort} ssl backlog=4096;
    ssl_certificate ${file};
    ssl_certificate_key ${keyFile};
    keepalive_requests 1000000000;
    location / {
      proxy_pass http://${SERVICE};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header Connection '';
    }
  }
}
`;
  writeFileSync(config, readFileSync(config, "utf8").replace(/\}\n$/, server));
  process.kill(edge.front.pid, "SIGHUP");
  const doors = { http: { address: ADDRESS, port }, https: { address: ADDRESS, port: tlsPort } };
  await listening("the bench's front", doors.https, LISTENING_DEADLINE_MS);
  return doors;
}
