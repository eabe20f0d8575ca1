import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RawEntry, rawTar, rawTarGz } from "./archive.fixture.ts";
import { unpack } from "./unpack.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "siding-unpack-"));
  mkdirSync(join(folder, "release"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function unpacked(bytes: Buffer) {
  writeFileSync(join(folder, "artifact"), bytes);
  return unpack(join(folder, "artifact"), join(folder, "release"), new AbortController().signal);
}

const inRelease = (path: string) => join(folder, "release", path);

describe("an archive", () => {
  const honest: RawEntry[] = [
    { path: "bin/", type: "Directory", mode: 0o755 },
    { path: "bin/server", text: "#!/bin/sh\n", mode: 0o4755 },
    { path: "current", type: "SymbolicLink", linkpath: "bin/server" },
    { path: "lib/deep/up", type: "SymbolicLink", linkpath: "../../bin" },
    { path: "twin", type: "Link", linkpath: "bin/server" },
  ];

  it.each([
    ["gzip", gzipSync(rawTar(honest))],
    ["zstd", zstdCompressSync(rawTar(honest))],
  ])("is unpacked whatever packed it: %s", async (_, bytes) => {
    expect(await unpacked(bytes)).toEqual({ ok: true, value: null });
    expect(readFileSync(inRelease("lib/deep/up/server"), "utf8")).toBe("#!/bin/sh\n");
    expect(readlinkSync(inRelease("current"))).toBe("bin/server");
    expect(statSync(inRelease("twin")).ino).toBe(statSync(inRelease("bin/server")).ino);
  });

  it("loses its setuid bits and belongs to whoever unpacks", async () => {
    await unpacked(rawTarGz(honest));
    const { mode, uid } = statSync(inRelease("bin/server"));
    expect(mode & 0o7777).toBe(0o755);
    expect(uid).toBe(process.getuid?.());
  });

  it.each<[string, RawEntry[]]>([
    ["an absolute path", [{ path: "/evil", text: "x" }]],
    ["a path upwards", [{ path: "../evil", text: "x" }]],
    ["a path up and down again", [{ path: "a/../../evil", text: "x" }]],
    ["an absolute link", [{ path: "evil", type: "SymbolicLink", linkpath: "/etc/passwd" }]],
    ["a link upwards", [{ path: "a/evil", type: "SymbolicLink", linkpath: "../../evil" }]],
    ["a hard link upwards", [{ path: "evil", type: "Link", linkpath: "../artifact" }]],
    ["an absolute hard link", [{ path: "evil", type: "Link", linkpath: "/etc/passwd" }]],
    ["a hard link to what is no file of it", [{ path: "evil", type: "Link", linkpath: "nothing" }]],
    ["a device", [{ path: "evil", type: "CharacterDevice" }]],
    ["a pipe", [{ path: "evil", type: "FIFO" }]],
    [
      "a link that leads outside through another link",
      [
        { path: "a/b/", type: "Directory", mode: 0o755 },
        { path: "a/b/up", type: "SymbolicLink", linkpath: ".." },
        { path: "evil", type: "SymbolicLink", linkpath: "a/b/up/../.." },
      ],
    ],
  ])("with %s is refused", async (_, entries) => {
    const result = await unpacked(rawTarGz([{ path: "good", text: "x" }, ...entries]));
    expect(result.ok ? null : result.error.code).toBe("archive-unsafe-path");
    expect(existsSync(join(folder, "evil"))).toBe(false);
  });

  it("that writes through one of its own links does not get outside", async () => {
    const result = await unpacked(
      rawTarGz([
        { path: "a/b/", type: "Directory", mode: 0o755 },
        { path: "a/b/up", type: "SymbolicLink", linkpath: ".." },
        { path: "out", type: "SymbolicLink", linkpath: "a/b/up/../.." },
        { path: "out/evil", text: "x" },
      ]),
    );
    expect(result.ok).toBe(false);
    expect(existsSync(join(folder, "evil"))).toBe(false);
  });

  it.each<[string, Buffer]>([
    ["no archive at all", Buffer.from("hello, this is a text")],
    ["empty", Buffer.alloc(0)],
    ["without entries", rawTarGz([])],
    ["cut off", rawTarGz([{ path: "a", text: "x".repeat(5_000) }]).subarray(0, 60)],
    ["cut off inside", gzipSync(rawTar([{ path: "a", text: "x".repeat(5_000) }]).subarray(0, 2_048))],
    ["scrambled", gzipSync(Buffer.alloc(4_096, 7))],
  ])("that is %s is invalid", async (_, bytes) => {
    const result = await unpacked(bytes);
    expect(result.ok ? null : result.error.code).toBe("archive-invalid");
  });
});
