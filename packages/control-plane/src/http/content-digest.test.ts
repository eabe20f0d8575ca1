import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { declaredDigest } from "./content-digest.ts";

const sha256 = (text: string) => createHash("sha256").update(text);
const base64 = sha256("a").digest("base64");
const digest = `sha256:${sha256("a").digest("hex")}`;

const declaredBy = (headers: Record<string, string>) => declaredDigest((name) => headers[name]);

it.each<[Record<string, string>, string | null]>([
  [{}, null],
  [{ "Content-Digest": `sha-256=:${base64}:` }, digest],
  [{ "Repr-Digest": `sha-512=:YQ==:, sha-256=:${base64}:` }, digest],
  [{ "Content-Digest": `sha-256=:${base64}:`, "Repr-Digest": `sha-256=:${base64}:` }, digest],
  [{ "Content-Digest": "sha-512=:YQ==:" }, null],
])("reads %j", (headers, expected) => {
  expect(declaredBy(headers)).toEqual({ ok: true, value: expected });
});

it.each<[Record<string, string>, string]>([
  [{ "Content-Digest": "sha-256=:YQ==:" }, "Content-Digest"],
  [
    { "Content-Digest": `sha-256=:${base64}:`, "Repr-Digest": `sha-256=:${sha256("b").digest("base64")}:` },
    "contradict",
  ],
])("refuses %j by name", (headers, words) => {
  const declared = declaredBy(headers);
  expect(declared).toMatchObject({ ok: false, error: { code: "invalid-request" } });
  expect(declared.ok ? "" : declared.error.message).toContain(words);
});
