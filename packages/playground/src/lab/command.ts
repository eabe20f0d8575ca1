import { execFile } from "node:child_process";

const MAX_OUTPUT_BYTES = 16 * 1_048_576;
/** Above every command here but the building of an image. */
const DEADLINE_MS = 60_000;

/** Runs a program to its end and gives what it printed. Errors: throws, with what it complained of. */
export function command(
  program: string,
  args: readonly string[],
  { input = "", deadlineMs = DEADLINE_MS }: { readonly input?: string; readonly deadlineMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      { maxBuffer: MAX_OUTPUT_BYTES, timeout: deadlineMs, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${program} ${args.join(" ")}: ${error.message}\n${stderr}${stdout}`));
      },
    );
    // One that does not read its input closes it early: no error of ours.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
