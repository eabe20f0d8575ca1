import { arch, release } from "node:os";
import { expect, it } from "vitest";
import { takeInventory } from "./inventory.ts";

it("an inventory says what this machine is made of", async () => {
  const inventory = await takeInventory();
  expect(inventory).toMatchObject({ ok: true, value: { arch: arch(), kernel: release() } });
  if (inventory.ok) expect(inventory.value.cores).toBeGreaterThan(0);
});
