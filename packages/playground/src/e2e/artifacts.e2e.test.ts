import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FickleRelay } from "../fleet/fickle-relay.ts";
import { finished, reached } from "../fleet/rollouts.ts";
import { SERVICE } from "../fleet/service-spec.ts";
import { archiveOf, type Entry } from "../service/archive.ts";
import { packRelease } from "../service/releases.ts";
import { until } from "../until.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

// Artifacts on a bad network, and artifacts that must not be unpacked. All this is found while staging, before any
// traffic changes.

const relay = new FickleRelay();
const fleet = useFleet({ hosts: 2, edges: 1, releases: [{ version: "v1", variant: "sound" }], relay });

/** Larger than what is on its way when a connection is cut. */
const LARGE_BYTES = 12_000_000;
const MEGABYTE = 1_000_000;

describe("a download that breaks off goes on where it was", () => {
  /** Rolls to a large release on both hosts; gives what each asked for after its first request. */
  async function expectResumed(version: string, fault: () => Promise<void>): Promise<(string | null)[]> {
    await fleet().register({ version, variant: "sound" }, randomBytes(LARGE_BYTES));
    const [firstRequest, bytesBefore] = [relay.requests.length, relay.answeredBytes];
    await expectNothingLost(fleet(), ["v1", "resumed-1", "resumed-2", "resumed-3"], async () => {
      const { id } = await fleet().roll({ version });
      await fault();
      await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    });
    // Both hosts once, and what was on its way when it broke off.
    expect(relay.answeredBytes - bytesBefore).toBeLessThan(2 * LARGE_BYTES + 4 * MEGABYTE);
    return relay.ranges(firstRequest).slice(2);
  }
  const bothStalled = () => until("both downloads to stall", () => relay.stalled === 2, ROLLOUT_DEADLINE_MS);

  test("each time that the connection is cut", async () => {
    relay.mood = { kind: "cuts", afterBytes: 4 * MEGABYTE };
    const later = await expectResumed("resumed-1", async () => {});
    relay.calm();
    expect(later.length).toBeGreaterThanOrEqual(6);
    expect(later.every((range) => /^bytes=\d{7,}-$/.test(range ?? ""))).toBe(true);
  });

  test("with the control plane killed in the middle of it", async () => {
    relay.mood = { kind: "stalls", afterBytes: 5 * MEGABYTE };
    const later = await expectResumed("resumed-2", async () => {
      await bothStalled();
      await fleet().controlPlane.kill();
      relay.calm();
      await fleet().controlPlane.start();
    });
    expect(later.filter((range) => range === null)).toEqual([]);
    expect(later.length).toBeGreaterThanOrEqual(2);
  });

  test("with the agents killed in the middle of it", async () => {
    relay.mood = { kind: "stalls", afterBytes: 5 * MEGABYTE };
    const later = await expectResumed("resumed-3", async () => {
      await bothStalled();
      for (const host of fleet().hosts) await host.kill();
      relay.calm();
      for (const host of fleet().hosts) host.start();
    });
    expect(later.filter((range) => range === null)).toEqual([]);
    expect(later.length).toBeGreaterThanOrEqual(2);
    const { id } = await fleet().roll({ version: "v1" });
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
});

async function register(version: string, bytes: Buffer): Promise<string> {
  const { digest } = await fleet().api.upload(bytes);
  await fleet().api.release(SERVICE, version, digest);
  return digest;
}

/** Rolls to a version whose staging has to fail; gives what the hosts say. */
async function expectStagingFailed(version: string): Promise<string> {
  const ended = await expectNothingLost(fleet(), ["v1"], async () => {
    const { id } = await fleet().roll({ version });
    const over = ({ finishedAt }: { finishedAt?: string | undefined }) => finishedAt !== undefined;
    return reached(fleet().api, id, "its end", over, ROLLOUT_DEADLINE_MS);
  });
  expect(ended.status).not.toBe("succeeded");
  expect(Object.values(ended.reloads).every((reloads) => reloads === 0)).toBe(true);
  expect(await servingVersions(fleet())).toEqual(["v1", "v1"]);
  expect(ended.cause?.message).toMatch(/stag|fetch|unpack|artifact/i);
  return ended.hosts.map(({ hostId, error }) => `${hostId}: ${error?.code} ${error?.message}`).join("\n");
}

test("a truncated artifact", async () => {
  const whole = packRelease({ version: "truncated", variant: "sound" });
  await register("truncated", whole.subarray(0, whole.length - 100));
  expect(await expectStagingFailed("truncated")).toMatch(
    /h[12]: \S+ .*(truncat|unexpected end|archive|unpack)/i,
  );
});

test("an artifact that was changed on its way", async () => {
  const digest = await register("tampered", packRelease({ version: "tampered", variant: "sound" }));
  const file = storedFile(fleet().controlPlane.dataDir, digest.slice("sha256:".length));
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
  writeFileSync(file, bytes);
  expect(await expectStagingFailed("tampered")).toMatch(/digest|sha256/i);
});

test("what is not an archive at all", async () => {
  await register("nonsense", Buffer.from("this is no archive"));
  expect(await expectStagingFailed("nonsense")).toMatch(/h[12]: \S+ /);
});

const OUTSIDE = "siding-evil-outside";

const EVIL: Readonly<Record<string, (folder: string) => Entry[]>> = {
  "a path with ..": () => [{ path: `../../${OUTSIDE}`, content: Buffer.from("x") }],
  "an absolute path": (folder) => [{ path: `${folder}/${OUTSIDE}`, content: Buffer.from("x") }],
  "a link that leads out, and a file behind it": (folder) => [
    { path: "out", type: "SymbolicLink", linkpath: folder },
    { path: `out/${OUTSIDE}`, content: Buffer.from("x") },
  ],
  "a hard link to a file outside": (folder) => [
    { path: "hard", type: "Link", linkpath: `${folder}/${OUTSIDE}` },
  ],
};

test.each(Object.entries(EVIL).map(([name, entries], index) => ({ name, entries, index })))(
  "an archive with $name",
  async ({ entries, index }) => {
    const { folder } = fleet().yard;
    const version = `evil-${index}`;
    await register(
      version,
      archiveOf([{ path: "server.mjs", content: Buffer.from("") }, ...entries(folder)]),
    );
    expect(await expectStagingFailed(version)).toMatch(/h[12]: \S+ .*(path|link|outside|\.\.|absolute)/i);
    expect(filesNamed(folder, OUTSIDE)).toEqual([]);
  },
);

/** The one file below a folder whose name has the digest in it. */
function storedFile(folder: string, digest: string): string {
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((name) =>
    name.includes(digest),
  );
  if (found === undefined) throw new Error(`no file in ${folder} is named after ${digest}`);
  return join(folder, found);
}

function filesNamed(folder: string, name: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(name));
}
