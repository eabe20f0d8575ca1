import type { ProbeAnswer } from "./event.ts";

/** A good answer is any 2xx or 3xx, a connection where only that was asked for, and exit code 0. */
export function isGood(answer: ProbeAnswer): boolean {
  switch (answer.kind) {
    case "status":
      return answer.status >= 200 && answer.status < 400;
    case "connected":
      return true;
    case "exit":
      return answer.code === 0;
    case "refused":
    case "timeout":
    case "error":
      return false;
  }
}

/** The end of what a health command printed. */
export function outputOf(answer: ProbeAnswer | null): string | undefined {
  return answer !== null && "output" in answer ? answer.output : undefined;
}

/** An answer in a few words: `status 500`, `connection refused`. */
export function describeAnswer(answer: ProbeAnswer | null): string {
  if (answer === null) return "no answer yet";
  switch (answer.kind) {
    case "status":
      return `status ${answer.status}`;
    case "connected":
      return "connected";
    case "exit":
      return answer.signal === null ? `exit code ${answer.code}` : `ended by ${answer.signal}`;
    case "refused":
      return "connection refused";
    case "timeout":
      return "timeout";
    case "error":
      return answer.message;
  }
}
