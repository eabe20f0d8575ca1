import { maxOutputBytes, type StepFailure } from "@siding/shared/report";
import type { ProcessExit } from "./event.ts";

const maxMessageLength = 4_000;

/** A failure that fits the limits of a report; of a long output the end is kept, since errors come last. */
export function stepFailure(code: string, message: string, output?: string): StepFailure {
  const short = message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)} …` : message;
  return output === undefined || output === ""
    ? { code, message: short }
    : { code, message: short, output: lastCharacters(output, maxOutputBytes) };
}

/** Why a process that should run does not. Names the port where the service says that it is taken. */
export function exitFailure(exit: ProcessExit, port: number | null): StepFailure {
  const taken = /EADDRINUSE|address already in use/i.test(exit.output);
  const why = taken && port !== null ? `; it says that port ${port} is already in use` : "";
  const note = exit.note === undefined ? "" : `; ${exit.note}`;
  return stepFailure("process-exited", `the process ended ${howItEnded(exit)}${note}${why}`, exit.output);
}

function howItEnded(exit: ProcessExit): string {
  if (exit.signal !== null) return `by ${exit.signal}`;
  if (exit.code !== null) return `with exit code ${exit.code}`;
  return "while or after the agent was restarted, so its exit code is unknown";
}

/** The limit of a report is in characters, as its schema counts. */
function lastCharacters(text: string, limit: number): string {
  return text.length > limit ? text.slice(text.length - limit) : text;
}
