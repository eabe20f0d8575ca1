import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { accountOf } from "./account.ts";
import { readEnvFile } from "./environment.ts";

it("reads the variables of a file, and says which one is not there", () => {
  const folder = mkdtempSync(join(tmpdir(), "siding-env-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "web.env");
  writeFileSync(path, '# secrets\nTOKEN=abc\nNAME="two words"\n');
  expect(readEnvFile(path)).toEqual({ ok: true, value: { TOKEN: "abc", NAME: "two words" } });
  expect(readEnvFile(undefined)).toEqual({ ok: true, value: {} });
  const missing = readEnvFile(join(folder, "none.env"));
  expect(missing.ok ? "" : missing.error).toMatchObject({ code: "env-file-missing" });
  expect(missing.ok ? "" : missing.error.message).toContain("none.env");
});

it("knows the users of this machine, and names one that it lacks", async () => {
  expect(await accountOf("root")).toMatchObject({ ok: true, value: { uid: 0, gid: 0 } });
  expect(await accountOf(null)).toEqual({ ok: true, value: null });
  const missing = await accountOf("nobody-of-that-name");
  expect(missing.ok ? "" : missing.error.message).toContain("'nobody-of-that-name'");
});
