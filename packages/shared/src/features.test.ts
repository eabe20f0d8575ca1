import { expect, test } from "vitest";
import { features, lackedFeatures } from "./features.ts";
import { HostFacts } from "./report.ts";
import { SpecInput } from "./spec.ts";
import { Release } from "./target.ts";

const written = {
  name: "web",
  hosts: { match: { role: "web" } },
  port: 8080,
  health: { http: "/healthz" },
  edge: { match: { role: "edge" } },
};

const release = Release.parse({ version: "v1", digest: `sha256:${"0".repeat(64)}`, sizeBytes: 1 });

test.each([
  [{ run: { command: ["node"] } }, [], []],
  [{ run: { command: ["node"], user: "www-data" } }, ["run.user"], []],
  [
    { run: { command: ["node"], user: "www-data", envFile: "/etc/web.env" } },
    ["run.user", "run.envFile"],
    [],
  ],
  [{ unit: "web@.service" }, ["unit"], []],
  [{ run: { command: ["node"] }, health: { tcp: true as const } }, ["health.tcp"], ["health.tcp"]],
  [{ run: { command: ["node"] }, hooks: { beforeDrain: { command: ["./quiet"] } } }, ["hooks"], []],
  [{ run: { command: ["node"] }, health: { command: ["check"] } }, ["health.command"], ["health.tcp"]],
])("%j asks a host for %j, an edge for %j", (over, ofHost, ofEdge) => {
  const { target } = SpecInput.parse({ ...written, ...over });
  const asked = { spec: target, release };
  expect(lackedFeatures(asked, "host", [])).toEqual(ofHost);
  expect(lackedFeatures(asked, "edge", [])).toEqual(ofEdge);
  expect(lackedFeatures(asked, "host", [...features, "of a later release"])).toEqual([]);
});

test("a unit that is adopted asks for an agent that can", () => {
  const { target: spec } = SpecInput.parse({ ...written, run: { command: ["node"] } });
  const asked = { spec, release: { ...release, adopts: "shop.service" } };
  expect(lackedFeatures(asked, "host", [])).toEqual(["adopt"]);
  expect(lackedFeatures(asked, "edge", [])).toEqual([]);
});

test("TCP asks an edge for it, whatever the target", () => {
  const { target, edge } = SpecInput.parse({
    ...written,
    run: { command: ["node"] },
    edge: { match: { role: "edge" }, protocol: "tcp" },
  });
  expect(lackedFeatures({ spec: target, release }, "edge", [], edge.protocol)).toEqual(["edge.protocol"]);
  expect(lackedFeatures({ spec: target, release }, "edge", features, edge.protocol)).toEqual([]);
});

test("an agent from before there were features announces none", () => {
  const facts = {
    ...{ agentVersion: "0.1.0", hostname: "h1", address: "127.0.1.1", labels: {}, roles: ["host"] },
    ...{ edgeAddresses: [], epochSeen: 0, revisionSeen: 0 },
  };
  expect(HostFacts.parse(facts).features).toEqual([]);
});
