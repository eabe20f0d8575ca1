import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UpstreamContent } from "./command.ts";
import { canonicalJson, contentDigest } from "./digest.ts";
import { HostId } from "./ids.ts";
import { encodeMessage, maxMessageBytes, parseMessage } from "./message.ts";
import { Beat } from "./report.ts";
import { hostTokenOf, subjects } from "./subjects.ts";

const beat = {
  v: 1,
  hostId: "h1",
  incarnation: "i1",
  stateDigest: `sha256:${"0".repeat(64)}`,
  intervalMs: 10_000,
  load: { cpu: 0.5, memory: null },
};

describe("a message", () => {
  it("is read as it was written, and newer fields pass", () => {
    expect(parseMessage(Beat, encodeMessage({ ...beat, novelty: true }))).toMatchObject({
      ok: true,
      value: beat,
    });
  });

  it("with a content that is known by its digest is left as it was sent, by newer and by older senders", () => {
    const health = { http: "/", intervalMs: 500, timeoutMs: 500, rise: 1, graceMs: 500 };
    const member = {
      hostId: "h1",
      slot: "blue",
      targetId: "v1@0123456789ab.1",
      address: "10.0.0.1",
      port: 80,
    };
    const first = { upstream: "web", members: [member], shares: [], balance: "round-robin", watch: [] };
    const older = { ...first, checks: { [member.targetId]: health } };
    const checks = { [member.targetId]: { ...health, novel: 1 } };
    const newer = { ...older, members: [{ ...member, zone: "a" }], checks, more: [1] };
    expect(UpstreamContent.parse(older)).toEqual(older);
    expect(UpstreamContent.parse(newer)).toEqual(newer);
    const wrong = { ...older, members: [{ ...member, port: 0 }] };
    expect(UpstreamContent.safeParse(wrong).error?.issues).toMatchObject([{ path: ["members", 0, "port"] }]);
  });

  it.each([
    [encodeMessage({ ...beat, v: 2 }), "message-version"],
    [encodeMessage({ ...beat, hostId: "H 1" }), "message-invalid"],
    [encodeMessage([]), "message-invalid"],
    [new TextEncoder().encode("{"), "message-not-json"],
    [new Uint8Array([0xff, 0xfe]), "message-not-json"],
    [new Uint8Array(maxMessageBytes + 1), "message-too-large"],
  ])("is refused by a code (%#)", (bytes, code) => {
    expect(parseMessage(Beat, bytes)).toMatchObject({ ok: false, error: { code } });
  });

  it("of any shape never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        parseMessage(Beat, encodeMessage(value));
      }),
    );
  });
});

describe("subjects", () => {
  it("name the host, and only ours do", () => {
    const hostId = HostId.parse("h1");
    expect(hostTokenOf(subjects.report(hostId))).toBe("h1");
    expect(hostTokenOf("siding.v2.from.h1.report")).toBeNull();
    expect(hostTokenOf("other")).toBeNull();
  });
});

describe("a content digest", () => {
  it("does not depend on the order of keys", () => {
    expect(contentDigest({ a: 1, b: [1, { c: 2, d: undefined }] })).toBe(
      contentDigest({ b: [1, { c: 2 }], a: 1 }),
    );
    expect(contentDigest({ a: [1, 2] })).not.toBe(contentDigest({ a: [2, 1] }));
  });

  it("is that of JSON that reads back as the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
      }),
    );
  });
});
