import { execFileSync } from "node:child_process";
import { Yard } from "../processes/yard.ts";
import { LabHost } from "./host.ts";
import { baseImage } from "./image.ts";
import { Network } from "./network.ts";

const say = (l: string) => process.stderr.write(l + "\n");
const yard = new Yard();
const t0 = performance.now();
const at = () => ((performance.now() - t0) / 1000).toFixed(1);
try {
  const image = await baseImage(say);
  say("image " + at());
  const network = await Network.make();
  yard.beforeClose("net", () => network.remove());
  execFileSync("tar", [
    "xzf",
    process.argv[2]!,
    "--strip-components=1",
    "-C",
    (execFileSync("mkdir", ["-p", yard.path("shared")]), yard.path("shared")),
  ]);
  const hosts: LabHost[] = [];
  for (const n of ["cp", "h1", "e1"]) {
    await network.plugIn(n);
    hosts.push(new LabHost({ yard, network, image, shared: yard.path("shared") }, n));
  }
  for (const h of hosts) yard.beforeClose("off " + h.name, () => h.cutPower());
  await Promise.all(hosts.map((h) => h.boot()));
  say("up " + at());
  const [cp, h1, e1] = hosts as [LabHost, LabHost, LabHost];
  const run = async (h: LabHost, s: string) => {
    say(`== ${h.name} ${s}`);
    try {
      say(await h.sh(s));
    } catch (e) {
      say("ERR " + String(e));
    }
  };
  await run(
    cp,
    `/mnt/install.sh control-plane --listen 0.0.0.0:8600 --nats-listen ${cp.address}:4222 --host h1 --host e1`,
  );
  say("cp " + at());
  const tok = async (h: string) => (await cp.sh(`cat /etc/siding/tokens/${h}`)).trim();
  const common = `--control-plane http://${cp.address}:8600 --nats nats://${cp.address}:4222`;
  await run(
    h1,
    `SIDING_TOKEN=${await tok("h1")} /mnt/install.sh agent --host-id h1 --address ${h1.address} ${common} --label role=web --allow-user www-data --allow-unit web@.service; cat /etc/siding/agent.yaml`,
  );
  await run(
    e1,
    `SIDING_TOKEN=${await tok("e1")} /mnt/install.sh edge --host-id e1 --address ${e1.address} ${common} --label role=edge`,
  );
  say("installed " + at());
  await run(
    h1,
    "systemctl status siding-agent --no-pager -l | head -20; /mnt/install.sh agent; /mnt/install.sh agent --upgrade; /mnt/install.sh edge --host-id x || true",
  );
  await run(
    e1,
    "sleep 2; systemctl status siding-edge --no-pager -l | head -30; ls -la /run/siding/edge /run/siding/edge/current/ /etc/siding /etc/siding/nginx/http; systemctl stop siding-edge; ps aux | grep -c nginx",
  );
  await run(
    cp,
    "systemctl status siding-control-plane --no-pager -l | head -20; ls -la /etc/siding /etc/siding/tokens",
  );
  await run(
    h1,
    "/mnt/install.sh agent --purge; ls /etc/siding /var/lib/siding /usr/lib/siding /opt/siding /run/siding; id siding-service",
  );
  await run(
    e1,
    "/mnt/install.sh edge --purge; ls /etc/siding /var/lib/siding /usr/lib/siding /opt/siding /run/siding; id siding-edge; ps ax | grep nginx",
  );
} finally {
  say("closing " + at());
  say((await yard.close()).join("\n"));
  say("closed " + at());
}
