import { systemctl } from "./programs.ts";

/** What systemd knows of a unit. */
export interface UnitState {
  readonly load: string;
  readonly loadError: string;
  /** `inactive`, `activating`, `active`, `reloading`, `deactivating`, `failed`. */
  readonly active: string;
  readonly mainPid: number;
  readonly invocation: string;
  readonly result: string;
  /** CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3; 0 where nothing has ended yet. */
  readonly exitKind: number;
  /** The exit code, or the signal's number. */
  readonly exitStatus: number;
  /** The file that it was read from. */
  readonly path: string;
  readonly type: string;
  readonly restart: string;
  readonly killMode: string;
  /** `enabled` where systemd starts it at boot. */
  readonly fileState: string;
  /** A file of it has changed since it was read. */
  readonly stale: boolean;
}

const properties = [
  "LoadState",
  "LoadError",
  "ActiveState",
  "MainPID",
  "InvocationID",
  "Result",
  "ExecMainCode",
  "ExecMainStatus",
  "FragmentPath",
  "Type",
  "Restart",
  "KillMode",
  "UnitFileState",
  "NeedDaemonReload",
];

export async function stateOf(unit: string): Promise<UnitState> {
  const { stdout } = await systemctl(["show", `--property=${properties.join(",")}`, "--", unit]);
  return parseState(stdout);
}

/** Reads `systemctl show`; what it does not say is empty. */
export function parseState(text: string): UnitState {
  const said = new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)] as const;
    }),
  );
  const word = (name: string) => said.get(name) ?? "";
  const number = (name: string) => Number(said.get(name) ?? 0);
  return {
    load: word("LoadState"),
    loadError: word("LoadError"),
    active: word("ActiveState"),
    mainPid: number("MainPID"),
    invocation: word("InvocationID"),
    result: word("Result"),
    exitKind: number("ExecMainCode"),
    exitStatus: number("ExecMainStatus"),
    path: word("FragmentPath"),
    type: word("Type"),
    restart: word("Restart"),
    killMode: word("KillMode"),
    fileState: word("UnitFileState"),
    stale: word("NeedDaemonReload") === "yes",
  };
}

export function isOver({ active }: UnitState): boolean {
  return active === "inactive" || active === "failed" || active === "";
}
