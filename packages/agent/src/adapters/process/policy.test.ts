import type { ServiceName } from "@siding/shared/ids";
import { expect, it } from "vitest";
import { type Policy, refusalOf } from "./policy.ts";

const web = "web" as ServiceName;
const none: Policy = { services: null, units: [], users: [], runAs: null };
const run = { command: ["node"], env: {}, stopGraceMs: 0 };

it("allows what asks for nothing special, and what is on the lists", () => {
  expect(refusalOf(none, web, run)).toBeNull();
  expect(refusalOf({ ...none, services: [web] }, web, run)).toBeNull();
  expect(refusalOf({ ...none, users: ["www-data"] }, web, { ...run, user: "www-data" })).toBeNull();
  expect(refusalOf({ ...none, runAs: "web" }, web, { ...run, user: "web" })).toBeNull();
  expect(
    refusalOf({ ...none, units: ["web@.service"] }, web, { unit: "web@.service", stopGraceMs: 0 }),
  ).toBeNull();
});

it.each([
  ["service-not-allowed", { ...none, services: [] }, run, "'web'"],
  ["user-not-allowed", none, { ...run, user: "root" }, "'root'"],
  ["user-not-allowed", { ...none, runAs: "web" }, { ...run, user: "root" }, "'root'"],
  ["unit-not-allowed", none, { unit: "ssh@.service", stopGraceMs: 0 }, "'ssh@.service'"],
] as const)("refuses by name: %s", (code, policy, asked, name) => {
  const refusal = refusalOf(policy, web, { ...asked });
  expect(refusal?.code).toBe(code);
  expect(refusal?.message).toContain(name);
});
