import { createHash } from "node:crypto";
import { once } from "node:events";
import { list } from "tar";
import { expect, test } from "vitest";
import { archiveOf } from "./archive.ts";
import { packRelease } from "./releases.ts";

async function namesIn(archive: Buffer): Promise<string[]> {
  const names: string[] = [];
  const parser = list({ onReadEntry: (entry) => names.push(entry.path) });
  const ended = once(parser, "end");
  parser.end(archive);
  await ended;
  return names;
}

const digestOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test("the same release is always the same bytes, another version is not", () => {
  const v1 = () => packRelease({ version: "v1", variant: "sound" });
  expect(digestOf(v1())).toBe(digestOf(v1()));
  expect(digestOf(v1())).not.toBe(digestOf(packRelease({ version: "v2", variant: "sound" })));
});

test("a release holds the program, its library and its name", async () => {
  const names = await namesIn(packRelease({ version: "v1", variant: "broken" }));
  expect(names).toEqual(["server.mjs", "service.mjs", "websocket.mjs", "VERSION"]);
});

test("ballast makes it large", async () => {
  const ballast = Buffer.alloc(100_000, "x");
  expect(await namesIn(packRelease({ version: "v1", variant: "sound" }, ballast))).toContain("ballast");
});

test("an archive keeps the evil that it is told to hold", async () => {
  const evil = archiveOf([{ path: "../outside", content: Buffer.from("x") }, { path: "/etc/absolute" }]);
  expect(await namesIn(evil)).toEqual(["../outside", "/etc/absolute"]);
});
