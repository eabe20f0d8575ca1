import { expect, test } from "vitest";
import { OLDEST_NODE, tooOldNode } from "./node-version.ts";

test.each(["22.13.0", "22.13.1", "24.21.0", "26.0.0"])("Node %s will do", (running) => {
  expect(tooOldNode(running)).toBeUndefined();
});

test.each(["20.20.2", "22.9.0", "22.12.99", "18.0.0"])("Node %s is refused by name", (running) => {
  expect(tooOldNode(running)).toContain(
    `Siding needs Node ${OLDEST_NODE} or newer; this is Node ${running}.`,
  );
});
