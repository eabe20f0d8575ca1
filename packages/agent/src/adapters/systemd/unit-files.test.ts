import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceName } from "@siding/shared/ids";
import { expect, it, onTestFinished } from "vitest";
import { targetOf } from "../../machine/world.fixture.ts";
import {
  dropInText,
  environmentText,
  isTampered,
  isWritten,
  programPath,
  quoted,
  templateText,
  unitOf,
} from "./unit-files.ts";

const web = "web" as ServiceName;

it("names the unit of a slot, of the template that is written and of the host's own", () => {
  const written = targetOf("v1");
  expect(unitOf(web, "blue", written)).toBe("siding-web@blue.service");
  const own = targetOf("v1", { run: { unit: "shop-web@.service", stopGraceMs: 0 } });
  expect(unitOf(web, "green", own)).toBe("shop-web@green.service");
  const adopted = { ...own, release: { ...own.release, adopts: "old-web.service" } };
  expect(unitOf(web, "blue", adopted)).toBe("old-web.service");
  expect([written, own, adopted].map(isWritten)).toEqual([true, false, false]);
});

it("says everything of a slot that a release alone does not change", () => {
  const run = { command: ["node", "server.js", "--name", 'a "b" 100% $HOME;'], env: {}, stopGraceMs: 5_000 };
  const own = {
    run: { ...run, envFile: "/etc/web.env" },
    program: "/usr/bin/node",
    folder: "/opt/siding/web/blue",
    user: "www-data",
  };
  expect(dropInText({ envFile: "/run/siding/agent/units/web.blue.env", own })).toBe(
    `# Written by the Siding agent.
[Service]
ExecStart=
ExecStart="/usr/bin/node" "server.js" "--name" "a \\"b\\" 100%% $$HOME;"
WorkingDirectory=/opt/siding/web/blue
User=www-data
TimeoutStopSec=5000ms
EnvironmentFile=/etc/web.env
EnvironmentFile=/run/siding/agent/units/web.blue.env
Restart=no
`,
  );
});

it("leaves an adopted unit all that it has but its own restarts", () => {
  expect(dropInText({ envFile: null, own: null })).toBe(
    "# Written by the Siding agent.\n[Service]\nRestart=no\n",
  );
});

it("adds only the environment to a unit of the host's own, and takes its restarts from it", () => {
  expect(dropInText({ envFile: "/run/x.env", own: null })).toBe(
    "# Written by the Siding agent.\n[Service]\nEnvironmentFile=/run/x.env\nRestart=no\n",
  );
});

it.each([
  ["plain", '"plain"'],
  ["", '""'],
  ["a b", '"a b"'],
  ["back\\slash", '"back\\\\slash"'],
  ["$PATH $$", '"$$PATH $$$$"'],
  ["%i", '"%%i"'],
  ["line\nbreak\ttab", '"line\\x0abreak\\x09tab"'],
])("quotes %j so that it stays one word", (word, text) => {
  expect(quoted(word)).toBe(text);
});

it("writes variables so that nothing of them is read as more than text", () => {
  expect(environmentText({ A: 'say "hi" for $5 `now` \\', B: "" })).toBe(
    'A="say \\"hi\\" for \\$5 \\`now\\` \\\\"\nB=""\n',
  );
});

it("notices a template that somebody else has changed", () => {
  const text = templateText(web);
  expect(isTampered(text)).toBe(false);
  expect(isTampered(text.replace("Type=exec", "Type=simple"))).toBe(true);
  expect(isTampered("[Service]\n")).toBe(true);
});

it("finds the program where a shell would, and a relative one in the release", () => {
  const exists = (file: string) => file === "/usr/bin/node";
  expect(programPath("node", "/opt/x", "/bin:/usr/bin", exists)).toBe("/usr/bin/node");
  expect(programPath("./serve", "/opt/x", "", exists)).toBe("/opt/x/serve");
  expect(programPath("/opt/y/serve", "/opt/x", "", exists)).toBe("/opt/y/serve");
  expect(programPath("perl", "/opt/x", "/bin:/usr/bin", exists)).toBeNull();
});

const canVerify = spawnSync("systemd-analyze", ["--version"]).status === 0;

it.skipIf(!canVerify)("systemd itself has nothing to say against a template", () => {
  const folder = mkdtempSync(join(tmpdir(), "siding-unit-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "siding-web@.service"), templateText(web));
  const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", "siding-web@blue.service"], {
    encoding: "utf8",
    env: { SYSTEMD_UNIT_PATH: `${folder}:` },
  });
  expect(stderr.split("\n").filter((line) => line.includes(folder))).toEqual([]);
});
