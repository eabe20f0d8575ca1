import { expect, it } from "vitest";
import { exitOf } from "./ending.ts";
import { flawOf, restartFlaw } from "./judgement.ts";
import { parseState } from "./unit-state.ts";

const shown = `LoadState=loaded
ActiveState=active
MainPID=42
InvocationID=abc
Result=success
ExecMainCode=0
ExecMainStatus=0
FragmentPath=/etc/systemd/system/web@.service
Type=notify
Restart=no
KillMode=control-group
UnitFileState=static
NeedDaemonReload=no`;

const state = (change: string) => parseState(`${shown}\n${change}`);
const unit = "web@blue.service";

it("reads what systemctl shows", () => {
  expect(parseState(shown)).toMatchObject({ load: "loaded", active: "active", mainPid: 42, type: "notify" });
  expect(parseState("")).toMatchObject({ load: "", active: "", mainPid: 0, stale: false });
});

it.each([
  ["unit-masked", "LoadState=masked", null, "is masked"],
  ["unit-missing", "LoadState=not-found", null, "no unit web@blue.service"],
  ["unit-broken", 'LoadState=bad-setting\nLoadError=x "Unit has a bad setting"', null, "bad setting"],
  ["unit-unfit", "Type=oneshot", null, "Type=oneshot"],
  ["unit-unfit", "KillMode=process", null, "KillMode=process"],
  ["unit-unfit", "UnitFileState=enabled", null, "systemctl disable"],
  ["unit-edited", "", "/run/systemd/system/web@.service", "/etc/systemd/system/web@.service"],
])("%s is named", (code, change, written, words) => {
  const flaw = flawOf(unit, state(change), written);
  expect(flaw?.code).toBe(code);
  expect(flaw?.message).toContain(words);
});

it("has nothing against a unit in order, and lets none restart itself", () => {
  expect(flawOf(unit, state(""), null)).toBeNull();
  expect(restartFlaw(unit, state(""))).toBeNull();
  expect(restartFlaw(unit, state("Restart=always"))?.message).toContain("Restart=always");
});

it.each([
  ["ExecMainCode=1\nExecMainStatus=3\nResult=exit-code", { code: 3, signal: null }],
  ["ExecMainCode=2\nExecMainStatus=9\nResult=signal", { code: null, signal: "SIGKILL" }],
  [
    "ExecMainCode=2\nExecMainStatus=9\nResult=oom-kill",
    { signal: "SIGKILL", note: "web@blue.service: oom-kill" },
  ],
  ["ExecMainCode=0\nExecMainStatus=0", { code: 0, note: expect.stringContaining("Type=forking") as string }],
  ["ExecMainCode=1\nExecMainStatus=0", { code: 0, note: expect.stringContaining("Type=forking") as string }],
])("tells how a service ended: %j", (change, expected) => {
  expect(exitOf(unit, state(change), "bye")).toMatchObject({ output: "bye", ...expected });
});
