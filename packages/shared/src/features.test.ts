import { expect, test } from "vitest";
import { features, lackedFeatures } from "./features.ts";
import { HostFacts } from "./report.ts";
import { SpecInput } from "./spec.ts";

const written = {
  name: "web",
  hosts: { match: { role: "web" } },
  port: 8080,
  health: { http: "/healthz" },
  edge: { match: { role: "edge" } },
};

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
  [{ run: { command: ["node"] }, health: { command: ["check"] } }, ["health.command"], ["health.tcp"]],
])("%j asks a host for %j, an edge for %j", (over, ofHost, ofEdge) => {
  const { target } = SpecInput.parse({ ...written, ...over });
  expect(lackedFeatures(target, "host", [])).toEqual(ofHost);
  expect(lackedFeatures(target, "edge", [])).toEqual(ofEdge);
  expect(lackedFeatures(target, "host", [...features, "of a later release"])).toEqual([]);
});

test("TCP asks an edge for it, whatever the target", () => {
  const { target, edge } = SpecInput.parse({
    ...written,
    run: { command: ["node"] },
    edge: { match: { role: "edge" }, protocol: "tcp" },
  });
  expect(lackedFeatures(target, "edge", [], edge.protocol)).toEqual(["edge.protocol"]);
  expect(lackedFeatures(target, "edge", features, edge.protocol)).toEqual([]);
});

test("an agent from before there were features announces none", () => {
  const facts = {
    ...{ agentVersion: "0.1.0", hostname: "h1", address: "127.0.1.1", labels: {}, roles: ["host"] },
    ...{ edgeAddresses: [], epochSeen: 0, revisionSeen: 0 },
  };
  expect(HostFacts.parse(facts).features).toEqual([]);
});
