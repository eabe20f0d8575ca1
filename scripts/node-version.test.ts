import { expect, test } from "vitest";
import { tooOldForSetup } from "./node-version.mjs";

test.each(["20.0.0", "20.20.2", "24.21.0"])("the set-up runs on Node %s", (running) => {
  expect(tooOldForSetup(running)).toBeUndefined();
});

test.each(["18.20.4", "16.0.0"])("the set-up refuses Node %s by name", (running) => {
  expect(tooOldForSetup(running)).toContain(`this is Node ${running}`);
});
