/**
 * Expected failures travel as values (style: "a throw means a bug or lost infrastructure").
 * `E` is a coded failure; see {@link Failure}.
 */
export type Result<T, E = Failure> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

/** A coded failure. `code` is stable and for programs, `message` is for the person at 3 a.m. */
export interface Failure<Code extends string = string> {
  readonly code: Code;
  readonly message: string;
  readonly cause?: unknown;
}

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** Builds a coded failure; `cause` is kept for the log. */
export function failure<Code extends string>(code: Code, message: string, cause?: unknown): Failure<Code> {
  return cause === undefined ? { code, message } : { code, message, cause };
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
