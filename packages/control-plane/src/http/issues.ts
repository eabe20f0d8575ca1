import { isNotYetIssue } from "@siding/shared/availability";
import type { z } from "zod";
import type { Refusal } from "../orchestrator/refusal.ts";

type Issue = z.core.$ZodIssue;
interface FieldError {
  readonly path: string;
  readonly message: string;
}

/**
 * What a schema refused, every field by its path. Where nothing is wrong but that it asks for what is not built yet,
 * it says so.
 */
export function refusalOfIssues(issues: readonly Issue[], what = "the body"): Refusal {
  const errors = issues.flatMap(fieldErrors);
  const text = errors.map(({ path, message }) => `${path}: ${message}`).join("; ");
  if (issues.every(isNotYetIssue)) return { code: "not-available-yet", message: text, errors };
  return { code: "invalid-request", message: `${what} can't be taken: ${text}`, errors };
}

function fieldErrors(issue: Issue): readonly FieldError[] {
  if (issue.code !== "unrecognized_keys") return [{ path: pathOf(issue.path), message: textOf(issue) }];
  return issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message: "unknown key" }));
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "body" : path.map(String).join(".");
}

/** `reportInput` is on wherever we parse for people: a field that is not there has the input undefined. */
function textOf(issue: Issue): string {
  if (issue.code === "invalid_type" && issue.input === undefined)
    return `missing; expected ${issue.expected}`;
  if (issue.code !== "invalid_union") return issue.message;
  if (issue.discriminator !== undefined) return `unknown ${issue.discriminator} '${String(issue.input)}'`;
  const texts = issue.errors.flatMap((branch) => branch.map(textOf));
  return texts.length > 0 ? [...new Set(texts)].join(", or ") : issue.message;
}
