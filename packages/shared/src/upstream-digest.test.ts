import { expect, test } from "vitest";
import { UpstreamContent } from "./command.ts";
import { contentDigest } from "./digest.ts";
import { upstreamDigest } from "./upstream-digest.ts";

test("is the digest of the content, also where its list is known already", () => {
  const members = [
    { hostId: "h1", slot: "blue", targetId: "v1@0123456789ab.1", address: "10.0.0.1", port: 8080 },
  ];
  const nobody = { upstream: "web", members, shares: [], balance: "round-robin", watch: [], checks: {} };
  const content = UpstreamContent.parse(nobody);
  const watching = { ...content, watch: content.members.map((member) => ({ ...member, attempt: 2 })) };
  for (const each of [content, watching, watching, { ...content, members: [] }]) {
    expect(upstreamDigest(each)).toBe(contentDigest(each));
  }
});
