import type { RolloutId } from "@siding/shared/ids";
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, test } from "vitest";
import { finished } from "../fleet/rollouts.ts";
import { SERVICE } from "../fleet/service-spec.ts";
import { hasBrowser, usePage } from "./browser.ts";
import { ROLLOUT_DEADLINE_MS, useFleet } from "./scene.ts";

/** Long enough to be seen and pressed; nobody waits for its end. */
const LONG_BAKE = "10m";

describe.skipIf(!hasBrowser())("the fleet's page", () => {
  const fleet = useFleet({
    hosts: 4,
    edges: 1,
    releases: [
      { version: "v1", variant: "sound" },
      { version: "v2", variant: "sound" },
      { version: "broken", variant: "broken" },
    ],
  });
  const page = usePage(fleet);

  beforeEach(async () => {
    const { api } = fleet();
    if (page().url().startsWith(api.url)) return;
    await page().goto(`${api.url}/#token=${api.token}`);
  });

  const roll = async (version: string, more: object = {}) => {
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" }, ...more });
    return { id, card: page().locator(`section[data-rollout="${id}"]`) };
  };

  /** Presses a button of a rollout, gives a reason and confirms. */
  const press = async (id: RolloutId, verb: string, comment = "") => {
    await page().locator(`[data-rollout="${id}"] [data-verb="${verb}"]`).click();
    await page().getByLabel("Why?").fill(comment);
    await page().locator("#confirm-yes").click();
    await page().locator("#confirm").waitFor({ state: "hidden" });
  };

  const expectEnded = (id: RolloutId, status: string) =>
    page().locator(`.recent [data-rollout="${id}"][data-status="${status}"]`).waitFor();

  const expectVersions = (version: string) =>
    Promise.all(["h1", "h2", "h3", "h4"].map((id) => expectVersion(page(), id, version)));

  test("takes the token from the fragment, and wipes it off the address", async () => {
    const { api } = fleet();
    await page().getByText("live", { exact: true }).waitFor();
    expect(page().url()).toBe(`${api.url}/`);
    await expectVersions("v1");
    await page().locator('[data-edge="e1"]').getByText("as wanted").waitFor();
    await page().locator(`[data-service="${SERVICE}"]`).getByText("It serves v1 on 4 hosts").waitFor();
    await page().reload();
    await expectVersions("v1");
  });

  test("without a token, or with a wrong one, it shows nothing and asks", async () => {
    await page().getByRole("button", { name: "Sign out" }).click();
    expect(await page().locator("main").isVisible()).toBe(false);
    await page().getByLabel("Token").fill("wrong");
    await page().getByRole("button", { name: "Show the fleet" }).click();
    await page().getByText("This token is not taken").waitFor();
    await page().getByLabel("Token").fill(fleet().api.token);
    await page().getByRole("button", { name: "Show the fleet" }).click();
    await expectVersions("v1");
  });

  test("shows a rollout live, promotes it host by host, and escapes what people write", async () => {
    const comment = '<img src=x onerror="document.title=1">';
    const { id, card } = await roll("v2", { bakeTime: LONG_BAKE, comment });
    for (const hostId of ["h1", "h2", "h3"]) {
      await card.locator(`[data-host="${hostId}"][data-phase="serving"]`).waitFor();
      await card.locator('[data-reason="bake"]').waitFor();
      await expectVersion(page(), hostId, "v2");
      await press(id, "promote");
    }
    await card.getByText(comment).waitFor();
    expect([await page().locator("main img").count(), await page().title()]).toEqual([0, "Siding"]);
    await expectEnded(id, "succeeded");
    await expectVersions("v2");
  });

  test("pauses with a reason, resumes, and rolls back", async () => {
    const { id, card } = await roll("v1", { bakeTime: LONG_BAKE });
    await card.locator('[data-reason="bake"]').waitFor();
    await press(id, "pause", "looking at the logs");
    await card.locator('[data-reason="paused"]').getByText("looking at the logs").waitFor();
    await press(id, "resume");
    await card.locator('[data-reason="bake"]').waitFor();
    await press(id, "rollback");
    await expectEnded(id, "rolled-back");
    await expectVersions("v2");
  });

  test("aborts, and rolls back what has ended", async () => {
    const { id, card } = await roll("v1", { bakeTime: LONG_BAKE });
    await card.locator('[data-reason="bake"]').waitFor();
    await press(id, "abort");
    await expectEnded(id, "aborted");
    await expectVersion(page(), "h1", "v1");
    await expectVersion(page(), "h2", "v2");
    const { id: whole } = await roll("v1");
    await expectEnded(whole, "succeeded");
    await page().locator(`.recent [data-rollout="${whole}"] summary`).click();
    await press(whole, "rollback", "as it was");
    await expectVersion(page(), "h2", "v2");
    await page().locator(`[data-service="${SERVICE}"]`).getByText("v2 on 3 hosts").waitFor();
  });

  test("says what failed, in the words of who saw it", async () => {
    const { id } = await roll("broken");
    await expectEnded(id, "rolled-back");
    await page().locator(`.recent [data-rollout="${id}"] summary`).first().click();
    await page()
      .locator(`.recent [data-rollout="${id}"] .failures`)
      .getByText("status 500")
      .first()
      .waitFor();
    await finished(fleet().api, id, "rolled-back", ROLLOUT_DEADLINE_MS);
  });

  test("knows when it is not live, and is so again by itself", async () => {
    await fleet().controlPlane.kill();
    await page().getByText("not live").waitFor();
    await fleet().controlPlane.start();
    await page().getByText("live", { exact: true }).waitFor();
    await Promise.all([expectVersion(page(), "h1", "v1"), expectVersion(page(), "h2", "v2")]);
  });

  test("a host opens by keyboard, in detail, and closes again", async () => {
    await page().locator('[data-row="h1"] button').focus();
    await page().keyboard.press("Enter");
    const dialog = page().getByRole("dialog", { name: "h1" });
    await dialog.getByText("127.0.1.1").waitFor();
    expect(await dialog.textContent()).toContain("in traffic");
    await page().keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
  });

  test("says what people hold: a drained host, an excluded edge", async () => {
    const hold = (path: string, comment: string) =>
      fleet().api.raw({
        method: "POST",
        path,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ comment }),
      });
    expect((await hold("/v1/hosts/h1/drain", "new memory")).status).toBeLessThan(300);
    await page().locator('[data-row="h1"]').getByText("drained by admin: new memory").waitFor();
    expect((await hold("/v1/edges/e1/exclude", "broken fan")).status).toBeLessThan(300);
    await page()
      .locator('[data-edge="e1"]')
      .getByText("excluded by admin: rollouts do not wait for it")
      .waitFor();
    await page().locator('[data-tile="edges"]').getByText("1 excluded").waitFor();
  });
});

async function expectVersion(page: Page, hostId: string, version: string): Promise<void> {
  const row = page.locator(`[data-row="${hostId}"][data-standing="serving"]`);
  await row.locator('[data-label="Version"]').getByText(version, { exact: true }).waitFor();
}
