import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { emptyJournal } from "../../machine/journal.ts";
import { contentOf, revisionOf, targetOf, World } from "../../machine/world.fixture.ts";
import { JournalFile } from "./journal-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "siding-journal-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("gives back what was written, whole", () => {
  const world = new World();
  world.run(10);
  world.deploy(targetOf("v1"), 1);
  world.send(revisionOf(world, 9, contentOf(["h1"], { h2: 4 })));
  world.tell(10, { kind: "update", target: targetOf("v9") });
  const file = new JournalFile(folder);
  expect(file.write(world.journal)).toEqual({ ok: true, value: null });
  expect(file.read()).toEqual({ ok: true, value: world.journal });
  expect(readdirSync(folder)).toEqual(["journal.json"]);
});

it("is null before the first write", () => {
  expect(new JournalFile(folder).read()).toEqual({ ok: true, value: null });
});

it.each([
  ["cut off", '{"v":1,"boot'],
  ["of another version", JSON.stringify({ ...emptyJournal("b"), v: 2 })],
  ["of another form", JSON.stringify({ ...emptyJournal("b"), instances: [{}] })],
])("that is %s is refused, and named", (_, text) => {
  const path = join(folder, "journal.json");
  writeFileSync(path, text);
  const result = new JournalFile(folder).read();
  expect(result.ok ? "" : result.error.message).toContain(`the journal ${path} can't be read`);
});

it("that the disk has room for only a part of is not written, and the last one stays", ({ skip }) => {
  const disk = join(folder, "disk");
  mkdirSync(disk);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "siding-test", disk], { stdio: "pipe" });
  } catch {
    process.stderr.write("SKIPPED: no file system can be mounted here, so no disk runs full for real\n");
    return skip();
  }
  try {
    const file = new JournalFile(disk);
    expect(file.write(emptyJournal("short"))).toMatchObject({ ok: true });
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, "ballast"), Buffer.alloc((bavail - 1) * bsize));
    const long = file.write(emptyJournal("long".repeat(bsize)));
    expect(long).toMatchObject({ ok: false, error: { code: "journal-not-written" } });
    expect(long.ok ? "" : long.error.message).toContain(`${disk}/journal.json: ENOSPC`);
    expect(file.read()).toMatchObject({ ok: true, value: { bootId: "short" } });
    rmSync(join(disk, "ballast"));
    expect(file.write(emptyJournal("short"))).toMatchObject({ ok: true });
  } finally {
    execFileSync("umount", [disk]);
  }
});

it("that can't be written says so", () => {
  const result = new JournalFile(join(folder, "gone")).write(emptyJournal("b"));
  expect(result).toMatchObject({ ok: false, error: { code: "journal-not-written" } });
});
