import type { ProbeAnswer } from "./event.ts";

/** A good answer is any 2xx or 3xx. */
export function isGood(answer: ProbeAnswer): boolean {
  return answer.kind === "status" && answer.status >= 200 && answer.status < 400;
}

/** An answer in a few words: `status 500`, `connection refused`. */
export function describeAnswer(answer: ProbeAnswer | null): string {
  if (answer === null) return "no answer yet";
  switch (answer.kind) {
    case "status":
      return `status ${answer.status}`;
    case "refused":
      return "connection refused";
    case "timeout":
      return "timeout";
    case "error":
      return answer.message;
  }
}
