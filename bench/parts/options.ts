import { InvalidArgumentError } from "commander";

/** An option that is a whole number above 0. */
export function positive(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("A whole number above 0 is needed.");
}
