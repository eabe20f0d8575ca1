import { describe, expect, it } from "vitest";
import { isNotYetIssue } from "./availability.ts";
import { ServiceSpec, SpecInput } from "./spec.ts";
import { TargetSpec } from "./target.ts";

const full = {
  name: "web",
  hosts: { match: { role: "web" } },
  run: { command: ["node", "server.js"], env: { NODE_ENV: "production" }, stopGrace: "20s" },
  ports: { blue: 8080, green: 8081 },
  health: { http: "/healthz", interval: "500ms", timeout: "2s", rise: 2, grace: "30s" },
  drain: { deadline: "30s", onDeadline: "proceed", others: "ignore" },
  capacity: { minServing: "75%" },
  edge: { match: { role: "edge" }, upstream: "web", balance: "least-conn" },
  strategy: { kind: "rolling", batchSize: "25%" },
  onFailure: "rollback",
};

function issuesOf(written: unknown) {
  const parsed = SpecInput.safeParse(written);
  return parsed.success ? [] : parsed.error.issues;
}

describe("a service spec", () => {
  it("is parsed once, with every default filled in", () => {
    const { run: _, ...rest } = full;
    const shortest = {
      name: "web",
      hosts: rest.hosts,
      run: { command: ["./serve"] },
      port: 8080,
      health: { http: "/" },
      edge: { match: { role: "edge" } },
    };
    expect(SpecInput.parse(shortest)).toMatchObject({
      target: {
        ports: { blue: 8080, green: null },
        run: { stopGraceMs: 20_000 },
        health: { rise: 2, graceMs: 30_000 },
      },
      edge: { upstream: "web", balance: "round-robin" },
      strategy: { kind: "rolling", batchSize: { kind: "count", count: 1 }, maxUnavailable: null },
      onFailure: "rollback",
      capacity: { minServing: { kind: "percent", percent: 50 } },
    });
    expect(SpecInput.parse(full).target.health.intervalMs).toBe(500);
  });

  it("is of HTTP unless it says TCP, also where it was stored before there was TCP", () => {
    expect(SpecInput.parse(full).edge.protocol).toBe("http");
    const tcp = { ...full, edge: { ...full.edge, protocol: "tcp" } };
    expect(SpecInput.parse(tcp).edge.protocol).toBe("tcp");
    const { protocol: _, ...edge } = SpecInput.parse(full).edge;
    expect(ServiceSpec.parse({ ...SpecInput.parse(full), edge }).edge.protocol).toBe("http");
  });

  it.each([
    [{ health: { http: "/healthz", intervall: "1s" } }, "health", "intervall"],
    [{ extra: 1 }, "", "extra"],
    [{ hooks: { beforeupdate: { command: ["true"] } } }, "hooks", "beforeupdate"],
    [{ hooks: { beforeUpdate: { command: ["true"], timeoutt: "1s" } } }, "hooks.beforeUpdate", "timeoutt"],
    [{ strategy: { kind: "rolling", batchsize: 1 } }, "strategy", "batchsize"],
  ])("names an unknown key: %j", (change, path, key) => {
    const [issue] = issuesOf({ ...full, ...change });
    expect(issue).toMatchObject({ code: "unrecognized_keys", keys: [key] });
    expect(issue?.path.join(".")).toBe(path);
  });

  it.each([
    [{ run: { command: [] } }, "run.command"],
    [{ run: { command: ["node\n-e"] } }, "run.command.0"],
    [{ run: { command: ["node"], user: "root:root" } }, "run.user"],
    [{ run: { command: ["node"], envFile: "web.env" } }, "run.envFile"],
    [{ unit: "web@.service" }, "run"],
    [{ run: undefined }, "run"],
    [{ run: undefined, unit: "web.service" }, "unit"],
    [{ run: undefined, unit: "../web@.service" }, "unit"],
    [{ run: { command: ["node"], env: { PORT: "1" } } }, "run.env.PORT"],
    [{ ports: { blue: 8080, green: 8080 } }, "ports"],
    [{ ports: { blue: 0, green: 1 } }, "ports.blue"],
    [{ port: 8080 }, "ports"],
    [{ health: { http: "healthz" } }, "health.http"],
    [{ health: { http: "/a b" } }, "health.http"],
    [{ health: { http: "/", rise: 0 } }, "health.rise"],
    [{ name: "Web" }, "name"],
    [{ hosts: { match: {} } }, "hosts.match"],
    [{ edge: { match: { role: "edge" }, upstream: "a;b" } }, "edge.upstream"],
    [{ edge: { match: { role: "edge" }, protocol: "udp" } }, "edge.protocol"],
    [{ edge: { match: { role: "edge" }, protocol: "tcp", balance: "ip-hash" } }, "edge.balance"],
    [{ onFailure: "panic" }, "onFailure"],
    [{ strategy: { kind: "all-at-once" } }, "strategy.allowDowntime"],
    [{ capacity: { loadCeiling: 3 } }, "capacity.loadCeiling"],
    [{ capacity: { loadCeiling: "0%" } }, "capacity.loadCeiling"],
    [{ drain: { deadline: "soon" } }, "drain.deadline"],
    [{ hooks: { beforeUpdate: ["true"] } }, "hooks.beforeUpdate"],
    [{ hooks: { beforeUpdate: { command: ["true"], timeout: "25h" } } }, "hooks.beforeUpdate.timeout"],
    [
      { hooks: { beforeUpdate: { command: ["true"], env: { SIDING_X: "1" } } } },
      "hooks.beforeUpdate.env.SIDING_X",
    ],
  ])("refuses %j at %s", (change, path) => {
    expect(issuesOf({ ...full, ...change }).map((issue) => issue.path.join("."))).toContain(path);
  });

  it("names a user, a file of secrets, or a unit of the hosts' own", () => {
    const run = { command: ["node"], env: {}, user: "www-data", envFile: "/etc/web.env" };
    expect(SpecInput.parse({ ...full, run }).target.run).toEqual({ ...run, stopGraceMs: 20_000 });
    const { run: _, ...rest } = full;
    const unit = "web@.service";
    expect(SpecInput.parse({ ...rest, unit }).target.run).toEqual({ unit, stopGraceMs: 20_000 });
  });

  it("says what is run around the steps of a host, as a part of what is rolled out", () => {
    const hooks = {
      beforeDrain: { command: ["./quiet"], timeout: "5s" },
      afterUpdate: { command: ["./warm", "up"], env: { A: "b" }, user: "www-data", idempotent: true },
      beforeRollout: { command: ["./migrate"], host: "h2" },
    };
    expect(SpecInput.parse({ ...full, hooks }).target.hooks).toEqual({
      beforeDrain: { command: ["./quiet"], timeoutMs: 5_000, env: {}, idempotent: false },
      afterUpdate: {
        command: ["./warm", "up"],
        timeoutMs: 60_000,
        env: { A: "b" },
        user: "www-data",
        idempotent: true,
      },
      beforeRollout: { command: ["./migrate"], timeoutMs: 60_000, env: {}, idempotent: false, host: "h2" },
    });
  });

  it("takes a target of before there were hooks for one without any", () => {
    const { hooks, ...older } = SpecInput.parse(full).target;
    expect(hooks).toEqual({});
    expect(TargetSpec.parse(older)).toEqual({ ...older, hooks: {} });
  });

  it.each([
    [{ strategy: { kind: "canary", steps: [] } }],
    [{ strategy: { kind: "blue-green" } }],
    [{ strategy: { kind: "rolling", surge: 1 } }],
    [{ gates: [] }],
    [{ edge: undefined }],
  ])("says of %j that it is not available yet, and not that it is wrong", (change) => {
    const issues = issuesOf({ ...full, ...change });
    expect(issues.length).toBeGreaterThan(0);
    expect(issues.every(isNotYetIssue)).toBe(true);
  });
});
