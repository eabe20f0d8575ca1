import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** How a program of systemd's ended. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  /** What it complained of, on one line. */
  readonly complaint: string;
}

/** Asking takes milliseconds; a manager that does not answer by then is in trouble. */
const askDeadlineMs = 20_000;
const maxOutputBytes = 4 * 1_048_576;
/** Three seconds and more, after a failed start and on a busy host: its words are worth that. */
const mostLooks = 30;
const lookAgainMs = 100;
/** Its words are not worth more than this to whoever waits for a service that has served to be started again. */
const briefSyncMs = 500;
/** By the shell's custom: it did not end in time. */
const timedOut = 124;

/** Runs systemctl; its end tells what came of it. */
export function systemctl(args: readonly string[], deadlineMs = askDeadlineMs): Promise<Said> {
  return run("systemctl", ["--no-ask-password", "--no-pager", ...args], deadlineMs);
}

/**
 * The end of what an invocation of a unit printed, and what systemd said of it.
 *
 * @param isYoung it has just begun: all that it printed may still be on its way to the journal, and is waited for
 */
export async function journalTail(
  unit: string,
  invocation: string,
  lines: number,
  isYoung: boolean,
): Promise<string> {
  if (invocation === "") return "";
  const { how, printed } = await (isYoung
    ? untilRead(unit, invocation)
    : synced(unit, invocation, briefSyncMs));
  const all = [...printed, "+", `INVOCATION_ID=${invocation}`];
  return (await journal([...how, `--lines=${lines}`, ...all])).trimEnd();
}

/** How the journal is asked for what an invocation printed. */
interface Printed {
  readonly how: readonly string[];
  readonly printed: readonly string[];
}

/**
 * What was printed last, and that it began at all, may still be on its way to journald, whose own word for that
 * (`--sync`) does not cover it before systemd 258. One that has printed nothing is waited for in vain.
 */
async function untilRead(unit: string, invocation: string): Promise<Printed> {
  for (let looks = 1; ; looks += 1) {
    const asked = await synced(unit, invocation, askDeadlineMs);
    if (looks === mostLooks) return asked;
    if ((await journal([...asked.how, "--lines=1", ...asked.printed])) !== "") return asked;
    await sleep(lookAgainMs);
  }
}

async function synced(unit: string, invocation: string, deadlineMs: number): Promise<Printed> {
  await run("journalctl", ["--sync"], deadlineMs);
  return printedBy(unit, invocation, await begunAt(invocation));
}

/** Of a process that ended before journald looked at it only the unit is known: then its time tells whose words they are. */
function printedBy(unit: string, invocation: string, since: string | null): Printed {
  const byInvocation = `_SYSTEMD_INVOCATION_ID=${invocation}`;
  if (since === null) return { how: ["--output=cat"], printed: [byInvocation] };
  return {
    how: ["--output=cat", `--since=@${since}`],
    printed: [byInvocation, "+", `_SYSTEMD_UNIT=${unit}`],
  };
}

/** When systemd began an invocation, in seconds; null where the journal does not say. */
async function begunAt(invocation: string): Promise<string | null> {
  const said = await journal(["--output=short-unix", `INVOCATION_ID=${invocation}`]);
  return /^\d+\.\d+/.exec(said)?.[0] ?? null;
}

async function journal(args: readonly string[]): Promise<string> {
  const { stdout } = await run("journalctl", ["--no-pager", "--quiet", ...args], askDeadlineMs);
  return stdout;
}

function run(program: string, args: readonly string[], deadlineMs: number): Promise<Said> {
  return new Promise((resolve) => {
    const options = {
      timeout: deadlineMs,
      maxBuffer: maxOutputBytes,
      env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LANG: "C.UTF-8" },
    };
    execFile(program, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.killed ? timedOut : numberOf(error.code);
      const late =
        code === timedOut ? `${program} ${args.join(" ")} did not end within ${deadlineMs} ms` : "";
      const complaint = [stderr.trim().replaceAll(/\s*\n\s*/g, " "), late].filter(Boolean).join("; ");
      resolve({ code, stdout, complaint: complaint || (error?.message ?? "") });
    });
  });
}

function numberOf(code: unknown): number {
  return typeof code === "number" ? code : 1;
}
