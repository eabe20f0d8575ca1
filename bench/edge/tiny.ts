import type { Fleet } from "@siding/playground/fleet/fleet";
import { tempPaths } from "@siding/playground/fleet/front";
import { finished } from "@siding/playground/fleet/rollouts";
import { SERVICE, serviceSpec } from "@siding/playground/fleet/service-spec";
import { archiveOf } from "@siding/playground/service/archive";

/** Each host's service: one worker that says two letters. */
const CONFIG = `daemon off; pid nginx.pid; error_log stderr; worker_processes 1;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000;
FOLDERS
  server { listen LISTEN backlog=4096; return 200 "ok"; }
}
`;

const START = `set -eu
sed -e "s#LISTEN#$ADDRESS:$PORT#" -e "s#FOLDER#$PWD#" nginx.template > nginx.conf
exec nginx -p "$PWD" -c "$PWD/nginx.conf"
`;

const ROLLOUT_DEADLINE_MS = 60_000;

/** Puts a service in place that costs next to nothing itself, so that nginx before it is what counts. */
export async function deployTiny({ api, ports }: Fleet): Promise<void> {
  const folders = tempPaths("FOLDER");
  const archive = archiveOf([
    { path: "nginx.template", content: Buffer.from(CONFIG.replace("FOLDERS", folders)) },
    { path: "start.sh", content: Buffer.from(START) },
  ]);
  const { digest } = await api.upload(archive);
  await api.release(SERVICE, "tiny", digest);
  await api.declare(SERVICE, serviceSpec(ports, { run: { command: ["sh", "start.sh"], stopGrace: "5s" } }));
  const { id } = await api.rollout(SERVICE, { version: "tiny", strategy: { kind: "rolling" } });
  await finished(api, id, "succeeded", ROLLOUT_DEADLINE_MS);
}
