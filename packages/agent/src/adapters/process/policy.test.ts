import type { ServiceName } from "@siding/shared/ids";
import type { Target } from "@siding/shared/target";
import { expect, it } from "vitest";
import { targetOf } from "../../machine/world.fixture.ts";
import { type Policy, refusalOf } from "./policy.ts";

const web = "web" as ServiceName;
const none: Policy = { services: null, units: [], users: [], runAs: null };
const run = { command: ["node"], env: {}, stopGraceMs: 0 };

function running(run: Target["spec"]["run"], adopts?: string): Target {
  const target = targetOf("v1", { run });
  return adopts === undefined ? target : { ...target, release: { ...target.release, adopts } };
}

it("allows what asks for nothing special, and what is on the lists", () => {
  expect(refusalOf(none, web, running(run))).toBeNull();
  expect(refusalOf({ ...none, services: [web] }, web, running(run))).toBeNull();
  expect(refusalOf({ ...none, users: ["www-data"] }, web, running({ ...run, user: "www-data" }))).toBeNull();
  expect(refusalOf({ ...none, runAs: "web" }, web, running({ ...run, user: "web" }))).toBeNull();
  const units = ["web@.service", "shop.service"];
  expect(refusalOf({ ...none, units }, web, running({ unit: "web@.service", stopGraceMs: 0 }))).toBeNull();
  expect(refusalOf({ ...none, units }, web, running({ ...run, user: "root" }, "shop.service"))).toBeNull();
});

it.each([
  ["service-not-allowed", { ...none, services: [] }, running(run), "'web'"],
  ["user-not-allowed", none, running({ ...run, user: "root" }), "'root'"],
  ["user-not-allowed", { ...none, runAs: "web" }, running({ ...run, user: "root" }), "'root'"],
  ["unit-not-allowed", none, running({ unit: "ssh@.service", stopGraceMs: 0 }), "'ssh@.service'"],
  ["unit-not-allowed", none, running(run, "ssh.service"), "'ssh.service'"],
] as const)("refuses by name: %s", (code, policy, asked, name) => {
  const refusal = refusalOf(policy, web, asked);
  expect(refusal?.code).toBe(code);
  expect(refusal?.message).toContain(name);
});
