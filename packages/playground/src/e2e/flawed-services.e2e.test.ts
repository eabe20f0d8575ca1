import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { finished } from "../fleet/rollouts.ts";
import { SERVICE, serviceSpec } from "../fleet/service-spec.ts";
import { freePort } from "../processes/free-port.ts";
import type { Variant } from "../service/releases.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

// Releases that never become healthy. Each has to end where it began, with the reason named, and nobody noticing.

/** Short, since each of these is waited for in full. */
const spec = { health: { http: "/healthz", interval: "50ms", timeout: "300ms", rise: 2, grace: "2s" } };

const FLAWS: readonly (readonly [Exclude<Variant, "sound">, RegExp])[] = [
  ["exits-at-once", /3.*DATABASE_URL is not set/s],
  ["never-answers", /time|answer/i],
  ["broken", /500/],
  ["loopback-only", /127\.0\.1\.\d/],
];

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  spec,
  releases: [
    { version: "v1", variant: "sound" },
    ...FLAWS.map(([variant]) => ({ version: `flaw-${variant}`, variant })),
  ],
});

test.each(FLAWS)("%s: rolled back, the host and the reason named", async (variant, reason) => {
  const ended = await expectRolledBack(`flaw-${variant}`);
  const troubled = ended.hosts.filter(({ error }) => error !== undefined);
  expect(troubled).toHaveLength(1);
  expect(`${troubled[0]?.error?.message}\n${troubled[0]?.error?.output ?? ""}`).toMatch(reason);
  expect(ended.cause?.message).toContain(troubled[0]?.hostId ?? "a host");
  expect(ended.explanation).toContain(ended.cause?.message);
});

test("a port in use: rolled back, and the port named", async () => {
  const taken = await freePort(fleet().hosts.map(({ address }) => address));
  const squatter = createServer(() => {});
  onTestFinished(() => void squatter.close());
  const [first] = fleet().hosts;
  await new Promise<void>((resolve) => squatter.listen(taken, first?.address, resolve));

  const { api, ports } = fleet();
  await api.declare(SERVICE, serviceSpec({ ...ports, blue: taken }, spec));
  const ended = await expectRolledBack("v1");
  await api.declare(SERVICE, serviceSpec(ports, spec));
  const trouble = ended.hosts.find(({ hostId }) => hostId === first?.hostId)?.error;
  expect(`${trouble?.message}\n${trouble?.output ?? ""}`).toMatch(/in use|EADDRINUSE/);
  expect(`${trouble?.message}\n${trouble?.output ?? ""}`).toContain(String(taken));
});

async function expectRolledBack(version: string) {
  const ended = await expectNothingLost(fleet(), ["v1"], async () => {
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
    return finished(fleet().api, id, "rolled-back", ROLLOUT_DEADLINE_MS);
  });
  expect(await servingVersions(fleet())).toEqual(["v1", "v1", "v1"]);
  return ended;
}
