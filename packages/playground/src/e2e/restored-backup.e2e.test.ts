import { expect, test } from "vitest";
import { until } from "../until.ts";
import { hasBrowser, usePage } from "./browser.ts";
import { expectRolled, servingVersions, useFleet } from "./scene.ts";

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

const page = hasBrowser() ? usePage(fleet) : null;

const NOTICED_MS = 30_000;

/** As a person would, by the page; where there is no browser, by REST. */
async function resumeFleet(comment: string): Promise<void> {
  const { api } = fleet();
  if (page === null) {
    await api.resumeFleet(comment);
    return;
  }
  await page().goto(`${api.url}/#token=${api.token}`);
  // The dialog has an alert of its own, which is empty unless something is refused.
  const behind = page().getByRole("alert").filter({ hasText: "older than its fleet" });
  await behind.waitFor();
  await page().locator('[data-edge="e1"]').getByText("ahead", { exact: true }).waitFor();
  await page().getByRole("button", { name: "Go on with the fleet as it is" }).click();
  await page().getByLabel("Why?").fill(comment);
  await page().locator("#confirm-yes").click();
  await behind.waitFor({ state: "hidden" });
}

test("an old backup is restored: the fleet goes on, what it runs is taken over, and rolls on without loss", async () => {
  const { controlPlane, api } = fleet();
  const backup = fleet().yard.path("old.backup");
  await controlPlane.backUp(backup);
  await expectRolled(fleet(), ["v1", "v2"], { version: "v2", strategy: { kind: "rolling" } });
  await controlPlane.restore(backup);

  const behind = await until("it to notice", async () => (await api.fleet()).behind, NOTICED_MS);
  expect(behind).toContain("older than its fleet");
  const allObserved = async () => {
    const hosts = (await api.fleet()).hosts.filter(({ roles }) => roles.includes("host"));
    return hosts.every(({ instances, liveness }) => liveness === "alive" && instances[0]?.version === "v2");
  };
  await until("what runs to be taken over", allObserved, NOTICED_MS);

  await resumeFleet("everybody serves v2");
  expect((await api.fleet()).behind).toBeNull();
  const isTold = async () => {
    const [edge] = await api.edges();
    return edge?.upstreams.every(
      ({ wanted, serving, members }) => serving === wanted && members.length === 3,
    );
  };
  await until("the edge to serve what the restored ledger says anew", isTold, NOTICED_MS);
  expect(await servingVersions(fleet())).toEqual(["v2", "v2", "v2"]);

  await expectRolled(fleet(), ["v1", "v2"], { version: "v1", strategy: { kind: "rolling" } });
  expect(await servingVersions(fleet())).toEqual(["v1", "v1", "v1"]);
  expect((await api.fleet()).behind).toBeNull();
  await expectRolled(fleet(), ["v1", "v2"], {
    version: "v2",
    strategy: { kind: "rolling", batchSize: "50%" },
  });
});
