import type { SpecInput } from "@siding/shared/spec";
import { describe, expect, test } from "vitest";
import { expectNothingLostAt } from "../e2e/scene.ts";
import { proxyTo } from "../fleet/front.ts";
import { finished } from "../fleet/rollouts.ts";
import { SERVICE } from "../fleet/service-spec.ts";
import { packRelease } from "../service/releases.ts";
import { until } from "../until.ts";
import type { LabHost } from "./host.ts";
import { labSpec, userFront } from "./lab.ts";
import { whyNoLab } from "./requirements.ts";
import { expectNothingLost, useLab } from "./scene.ts";

const why = whyNoLab();
const PATIENCE_MS = 120_000;
const NODE = "/usr/lib/siding/current/bin/node";
const BOTH = ["v1", "v2"];

describe.skipIf(why !== null)(`services as units${why === null ? "" : ` (skipped: ${why})`}`, () => {
  const lab = useLab({
    hosts: 2,
    edges: 1,
    releases: [
      { version: "v1", variant: "sound" },
      { version: "v2", variant: "sound" },
      { version: "exits", variant: "exits-at-once" },
      { version: "slow-stop", variant: "slow-stop" },
    ],
    allow:
      "--allow-user www-data --allow-unit legacy.service --allow-unit shop@.service --allow-unit flawed@.service",
  });
  const first = (): LabHost => lab().machine("h1");

  /** Declares the spec, rolls a version out, and expects the end. Gives what went wrong, in the hosts' own words. */
  async function rolled(
    version: string,
    wanted: "succeeded" | "rolled-back" | "failed",
    over: Partial<SpecInput> = {},
  ) {
    await lab().api.declare(SERVICE, { ...labSpec(), ...over });
    const { id } = await lab().roll({ version, strategy: { kind: "rolling" } });
    const document = await finished(lab().api, id, wanted, PATIENCE_MS);
    return document.hosts
      .flatMap(({ error }) => error ?? [])
      .map(({ code, message, output = "" }) => `${code}: ${message} ${output}`)
      .join("\n");
  }

  const withUnit = (unit: string): Partial<SpecInput> => ({ run: undefined, unit });

  async function writeUnit(name: string, lines: readonly string[]): Promise<void> {
    const text = ["[Service]", `WorkingDirectory=/opt/siding/${SERVICE}/%i`, ...lines].join("\n");
    for (const host of lab().hosts) {
      await host.write(`/etc/systemd/system/${name}`, `${text}\n`);
      await host.sh("systemctl daemon-reload");
    }
  }

  test("the installer is run again, and upgrades, without a request lost", async () => {
    await expectNothingLost(lab(), lab().edges, BOTH, async () => {
      const [edge] = lab().edges;
      for (const [machine, role] of [
        [first(), "agent"],
        [edge, "edge"],
        [lab().controlPlane, "control-plane"],
      ] as const) {
        await machine?.sh(`/mnt/install.sh ${role} && /mnt/install.sh ${role} --upgrade`);
      }
      await lab().allAlive();
    });
    await expect(first().sh("/mnt/install.sh edge --host-id h1")).rejects.toThrow("a host has one agent");
    await expect(
      first().sh(
        "/mnt/install.sh agent --host-id other --address 1.2.3.4 --control-plane http://x:1 --nats nats://x:1",
      ),
    ).rejects.toThrow("says something else");
    await expect(first().sh("/mnt/install.sh agent --lable a=b")).rejects.toThrow(
      "'--lable' is no option of agent",
    );
  });

  test("an agent that is killed finds its services again, and one that hangs is restarted", async () => {
    const pidOf = () => first().sh("systemctl show --property=MainPID --value siding-web@blue");
    const pid = await pidOf();
    const agentPid = () => first().sh("systemctl show --property=MainPID --value siding-agent");
    const before = await agentPid();
    await first().sh("systemctl kill --signal=SIGKILL siding-agent");
    await until(
      "another agent",
      async () => !["0", before.trim()].includes((await agentPid()).trim()),
      PATIENCE_MS,
    );
    await lab().allAlive();
    // The unit's own patience is a minute.
    const dropIn = "/run/systemd/system/siding-agent.service.d";
    await first().sh(`mkdir -p ${dropIn}; printf '[Service]\\nWatchdogSec=2\\n' >${dropIn}/quick.conf`);
    await first().sh("systemctl daemon-reload; systemctl restart siding-agent");
    const hanging = (await agentPid()).trim();
    await first().sh(`kill -STOP ${hanging}`);
    await until(
      "another agent",
      async () => !["0", hanging].includes((await agentPid()).trim()),
      PATIENCE_MS,
    );
    await first().sh(`rm -r ${dropIn}; systemctl daemon-reload; systemctl restart siding-agent`);
    await lab().allAlive();
    expect(await pidOf()).toBe(pid);
  });

  test("a restart gives the unit of one host another process, and loses nothing", async () => {
    const pidOf = (host: LabHost) => host.sh("systemctl show --property=MainPID --value siding-web@blue");
    const [, second] = lab().hosts;
    const before = [await pidOf(first()), await pidOf(second ?? first())];
    await expectNothingLost(lab(), lab().edges, BOTH, async () => {
      const { id } = await lab().api.restart("h1", { service: SERVICE });
      await finished(lab().api, id, "succeeded", PATIENCE_MS);
    });
    expect(await pidOf(first())).not.toBe(before[0]);
    expect(await pidOf(second ?? first())).toBe(before[1]);
  });

  test("a service that crashes is started again, whatever becomes of its journal", async () => {
    const show = "systemctl show --property=ActiveEnterTimestampMonotonic --value siding-web@blue";
    const age = `echo $(($(awk '{ printf "%.0f", $1 * 1000000 }' /proc/uptime) - $(${show})))`;
    const hasServed = async () => Number(await first().sh(age)) > 12_000_000;
    await until("it to have served for a while", hasServed, PATIENCE_MS);
    const pidOf = async () =>
      (await first().sh("systemctl show --property=MainPID --value siding-web@blue")).trim();
    const pid = await pidOf();
    await first().sh("systemctl kill --signal=STOP systemd-journald");
    try {
      await first().sh("systemctl kill --signal=SIGKILL siding-web@blue");
      const isAnother = async () => !["0", pid].includes(await pidOf());
      await until("another process", isAnother, PATIENCE_MS);
    } finally {
      await first().sh("systemctl kill --signal=CONT systemd-journald");
    }
    await until("it to be back", async () => (await lab().answering(first())) !== null, PATIENCE_MS);
    expect(await lab().answering(first())).toBe("v1");
  });

  test("run.user, run.env and run.envFile reach the service as they are written, and its health command", async () => {
    const env = { TRICKY: `a "b" $HOME %i \`c\` \\ ; 'd'`, FROM_BOTH: "spec" };
    for (const host of lab().hosts) await host.write("/etc/web.env", "SECRET=s3cret\nFROM_BOTH=file\n");
    const script = `require("node:fs").writeFileSync("/tmp/seen.json", JSON.stringify({ env: process.env, argv: process.argv.slice(1), uid: process.getuid() })); import(process.cwd() + "/server.mjs")`;
    const words = ["a b", "100%", "$HOME", 'say "hi"', ";"];
    const command = [NODE, "--eval", script, "--", ...words];
    const look = `[ $(id -u) = 33 ] && [ "$SECRET$FROM_BOTH$SIDING_VERSION" = s3cretspecv2 ] && [ -f server.mjs ] && exec 3<>/dev/tcp/$ADDRESS/$PORT`;
    await rolled("v2", "succeeded", {
      run: { command, env, user: "www-data", envFile: "/etc/web.env", stopGrace: "5s" },
      health: { command: ["bash", "-c", look], interval: "500ms", timeout: "5s", rise: 2, grace: "20s" },
    });
    const seen: unknown = JSON.parse(await first().sh("cat /tmp/seen.json"));
    expect(seen).toMatchObject({
      env: { ...env, SECRET: "s3cret", SIDING_SLOT: "blue", SIDING_VERSION: "v2" },
      argv: words,
      uid: 33,
    });
  });

  test("hooks run as services do, outside of the agent's sandbox, and leave nothing behind", async () => {
    for (const host of lab().hosts) await host.write("/etc/web.env", "SECRET=s3cret\n");
    const run = { command: [NODE, "server.mjs"], user: "www-data", envFile: "/etc/web.env" };
    const env = { SHAPE: `a "b" $HOME %i \\ 'c'` };
    const script = 'setsid sleep 1000 & echo "$SIDING_HOOK $SECRET $SHAPE $(id -u)" >/tmp/hook-seen';
    const beforeRejoin = { command: ["sh", "-c", script], env };
    await rolled("v1", "succeeded", { run, hooks: { beforeRejoin } });
    expect((await first().sh("cat /tmp/hook-seen")).trim()).toBe(`beforeRejoin s3cret ${env.SHAPE} 33`);
    const stuck = { command: ["sh", "-c", "echo no room for $SECRET >&2; sleep 1000"], timeout: "500ms" };
    const said = await rolled("v2", "failed", { run, hooks: { beforeUpdate: stuck }, onFailure: "stop" });
    expect(said).toContain("did not end within 500ms");
    expect(said).toContain("no room for ***");
    expect(await first().sh("grep -lsz ^SIDING_HOOK= /proc/[0-9]*/environ || true")).toBe("");
    expect(await first().sh("ls /run/siding/agent/hook-* 2>/dev/null || true")).toBe("");
  });

  test.each<[string, Partial<SpecInput>, string]>([
    ["a user", { run: { command: [NODE], user: "root" } }, "user 'root' is not in allow.users"],
    ["a unit", withUnit("ssh@.service"), "unit 'ssh@.service' is not in allow.units"],
    ["a unit that is not there", withUnit("shop@.service"), "there is no unit shop@blue.service"],
    [
      "a file of secrets that is not there",
      { run: { command: [NODE], envFile: "/etc/none.env" } },
      "/etc/none.env",
    ],
  ])("refuses %s by name before any traffic changes", async (_, over, words) => {
    const reloads = await edgeReloads();
    expect(await rolled("v1", "failed", { ...over, onFailure: "stop" })).toContain(words);
    expect(await edgeReloads()).toBe(reloads);
  });

  async function edgeReloads(): Promise<string> {
    const [edge] = lab().edges;
    return (await edge?.sh("cat /var/lib/siding/edge/edge/upstreams/*.json")) ?? "";
  }

  test("a service that ends at once is reported with the last lines of its journal", async () => {
    const said = await rolled("exits", "rolled-back", { onFailure: "rollback" });
    expect(said).toContain("process-exited");
    expect(said).toMatch(/exit code \d+[\s\S]*\w/);
  });

  test("the hosts' own template unit, Type=notify or not, with its own restarts overruled", async () => {
    await writeUnit("shop@.service", [`ExecStart=${NODE} server.mjs`, "Restart=always", "User=www-data"]);
    await expectNothingLost(lab(), lab().edges, BOTH, () =>
      rolled("v1", "succeeded", withUnit("shop@.service")),
    );
    const shown = await first().sh("systemctl show --property=Restart,ActiveState shop@blue");
    expect(shown.trim().split("\n").toSorted()).toEqual(["ActiveState=active", "Restart=no"]);
    // A crash of what serves is mended by the agent, not by systemd.
    await first().sh("systemctl kill --signal=SIGKILL shop@blue");
    await until("it to be back", async () => (await lab().answering(first())) === "v1", PATIENCE_MS);
    // So is a restart by hand, of which nobody told the agent.
    await first().sh("systemctl restart shop@blue");
    await until("it to be back", async () => (await lab().answering(first())) === "v1", PATIENCE_MS);
  });

  test.each<[string, readonly string[], string]>([
    ["that fails", ["ExecStart=/bin/sh -c 'echo no way; exit 7'", "Type=notify"], "no way"],
    ["that forks", [`ExecStart=/bin/sh -c '${NODE} server.mjs & exit 0'`], "Type=forking"],
    ["of a wrong type", ["ExecStart=/bin/true", "Type=oneshot"], "flawed@blue.service is Type=oneshot"],
    ["that can't be loaded", ["ExecStart=relative/path"], "unit-broken"],
    ["that leaves processes", [`ExecStart=${NODE} server.mjs`, "KillMode=process"], "KillMode=process"],
  ])("a unit %s is named", async (_, lines, words) => {
    await writeUnit("flawed@.service", lines);
    expect(await rolled("v2", "failed", { ...withUnit("flawed@.service"), onFailure: "stop" })).toContain(
      words,
    );
  });

  test("what a unit printed is told also by a journald that is late with all of it", async () => {
    await writeUnit("flawed@.service", ["ExecStart=/bin/sh -c 'echo no time; exit 7'", "Type=notify"]);
    const journald = (signal: string) => `systemctl kill --signal=${signal} systemd-journald`;
    for (const host of lab().hosts) await host.sh(journald("STOP"));
    const rolling = rolled("v2", "failed", { ...withUnit("flawed@.service"), onFailure: "stop" });
    try {
      const isAsked = async () => (await first().sh("pgrep -f 'journalctl --[s]ync' || true")) !== "";
      await until("the agent to ask for its words", isAsked, PATIENCE_MS);
    } finally {
      for (const host of lab().hosts) await host.sh(journald("CONT"));
    }
    expect(await rolling).toContain("no time");
  });

  test("a unit that is masked is named", async () => {
    for (const host of lab().hosts)
      await host.sh("rm /etc/systemd/system/flawed@.service; systemctl mask flawed@.service");
    expect(await rolled("v2", "failed", { ...withUnit("flawed@.service"), onFailure: "stop" })).toContain(
      "unit-masked",
    );
  });

  test("a template of the agent's that was edited by hand is named", async () => {
    await rolled("v2", "succeeded");
    const template = "/run/systemd/system/siding-web@.service";
    await first().sh(`echo Nice=5 >>${template}; systemctl daemon-reload`);
    expect(await rolled("v1", "failed", { onFailure: "stop" })).toContain(`${template} was changed by hand`);
    await first().sh(`rm ${template}`);
    await rolled("v1", "succeeded");
  });

  test("a service that hangs on its stop is killed after its grace", async () => {
    const run = { command: [NODE, "server.mjs"], stopGrace: "500ms" };
    await rolled("slow-stop", "succeeded", { run });
    await rolled("v1", "succeeded", { run });
    expect(await lab().answering(first())).toBe("v1");
  });

  /** Through the edge's front, whoever it is that serves. */
  const answers = async (edge: LabHost) => {
    const { address, port } = lab().front(edge);
    return (await fetch(`http://${address}:${port}/`)).ok;
  };

  test("an edge of mode include reloads the host's own nginx under its hardened unit", async () => {
    const [edge] = lab().edges;
    if (edge === undefined) throw new Error("no edge");
    const before = (await lab().answering(first())) ?? "none";
    const [next = "none"] = BOTH.filter((version) => version !== before);
    // As docs/edge.md says: the inner nginx ends with the old mode, config and state stay.
    await edge.sh("/mnt/install.sh edge --remove");
    await edge.sh("echo 'edge: { mode: include, bleed: 1500ms }' >>/etc/siding/edge.yaml");
    await edge.write("/etc/nginx/conf.d/web.conf", userFront(edge, "include"));
    await edge.sh("/mnt/install.sh edge");
    await until("the front to be reloaded", () => answers(edge), PATIENCE_MS);
    const master = await edge.sh("cat /run/nginx.pid");
    await expectNothingLost(lab(), [edge], BOTH, () => rolled(next, "succeeded"));
    expect(await edge.sh("cat /run/nginx.pid")).toBe(master);
    const shown = await edge.sh("systemctl show --property=User,CapabilityBoundingSet siding-edge");
    expect(shown.trim().split("\n").toSorted()).toEqual([
      "CapabilityBoundingSet=cap_dac_override cap_net_bind_service",
      "User=root",
    ]);
    // And back: nothing of it stays.
    await edge.sh("sed -i '/mode: include/d' /etc/siding/edge.yaml; /mnt/install.sh edge --upgrade");
    await edge.write("/etc/nginx/conf.d/web.conf", userFront(edge, "inner"));
    expect(await edge.sh("systemctl show --property=User siding-edge")).toBe("User=siding-edge\n");
    await lab().allAlive();
    await edge.sh("systemctl reload nginx");
    await expectNothingLost(lab(), [edge], BOTH, () => rolled(before, "succeeded"));
  });

  test("after a reboot the agent starts what its journal wants, also without the control plane", async () => {
    await lab().controlPlane.sh("systemctl stop siding-control-plane");
    await first().cutPower();
    await first().boot();
    await until(
      "the service after a power cut",
      async () => (await lab().answering(first())) === "v1",
      PATIENCE_MS,
    );
    await lab().controlPlane.sh("systemctl start siding-control-plane");
    await lab().allAlive();
    const { id } = await lab().roll({ version: "v2" });
    expect(await finished(lab().api, id, "succeeded", PATIENCE_MS)).toMatchObject({ status: "succeeded" });
  });

  test("a unit that runs already is adopted as it runs, replaced, and gone back to while it is there", async () => {
    const [edge] = lab().edges;
    if (edge === undefined) throw new Error("no edge");
    const [old, port, frontPort] = ["old", 8_090, 8_001];
    for (const host of lab().hosts) {
      const env = `Environment=ADDRESS=${host.address} PORT=${port} SIDING_VERSION=before SIDING_SLOT=none`;
      const unit = `[Service]\n${env}\nExecStart=${NODE} /srv/legacy/server.mjs\nRestart=always\nUser=www-data\n`;
      await host.write("/etc/systemd/system/legacy.service", unit);
      await host.sh(`cp -rL /opt/siding/${SERVICE}/blue /srv/legacy; echo before >/srv/legacy/VERSION`);
      await host.sh("systemctl daemon-reload; systemctl start legacy");
    }
    const pidOf = (host: LabHost) => host.sh("systemctl show --property=MainPID --value legacy");
    const pids = await Promise.all(lab().hosts.map(pidOf));
    const { ports: _, ...spec } = labSpec({ name: old, edge: { match: { role: "edge" }, upstream: old } });
    await lab().api.declare(old, { ...spec, port });
    await lab().api.adopt(old, "legacy.service");
    const { digest } = await lab().api.upload(packRelease({ version: "v1", variant: "sound" }));
    await lab().api.release(old, "v1", digest);
    await edge.sh(`until test -f /etc/siding/nginx/http/${old}.conf; do sleep 0.1; done`);
    await edge.write(
      "/etc/nginx/conf.d/old.conf",
      `server { listen ${frontPort}; location / { ${proxyTo(old)} } }\n`,
    );
    await edge.sh("systemctl reload nginx");
    const roll = async (version: string) => {
      const { id } = await lab().api.rollout(old, { version });
      return finished(lab().api, id, "succeeded", PATIENCE_MS);
    };
    const answers = async () => Promise.all(lab().hosts.map((host) => lab().answering(host, port)));

    await roll("adopted");
    const [seen] = await lab().api.edges();
    expect(seen?.upstreams.find(({ upstream }) => upstream === old)?.members).toEqual(["h1/blue", "h2/blue"]);
    // An agent that starts anew knows it again.
    await first().sh("systemctl restart siding-agent");
    await lab().allAlive();
    expect(await Promise.all(lab().hosts.map(pidOf))).toEqual(pids);
    const target = { address: edge.address, port: frontPort };
    await expectNothingLostAt(lab().yard, [["old", target]], ["before", "v1"], async () => {
      const { id } = await roll("v1");
      expect(await answers()).toEqual(["v1", "v1"]);
      const back = await lab().api.control(id, "rollback");
      await finished(lab().api, back.id, "succeeded", PATIENCE_MS);
      expect(await answers()).toEqual(["before", "before"]);
      await roll("v1");
      // Gone, it is named, and the host goes back to what it came from.
      for (const host of lab().hosts) {
        await host.sh("rm /etc/systemd/system/legacy.service; systemctl daemon-reload");
      }
      const gone = await lab().api.rollout(old, { version: "adopted" });
      const { hosts } = await finished(lab().api, gone.id, "rolled-back", PATIENCE_MS);
      const said = hosts.map(({ error }) => error?.message).join();
      expect(said).toContain("there is no unit legacy.service on this host");
    });
    expect(await answers()).toEqual(["v1", "v1"]);
  });

  test("an agent is removed with what it runs, and nothing of it stays after a purge", async () => {
    await first().sh("/mnt/install.sh agent --remove");
    expect(await lab().answering(first())).toBeNull();
    expect(await first().sh("ls /etc/siding /var/lib/siding /opt/siding")).toContain("agent.yaml");
    await first().sh("/mnt/install.sh agent --purge");
    const left = await first().sh(
      "ls -d /etc/siding /var/lib/siding /opt/siding /usr/lib/siding /run/siding 2>/dev/null || true",
    );
    expect(left).toBe("");
    expect(await first().sh("id siding-service 2>&1 || true")).toContain("no such user");
  });
});
