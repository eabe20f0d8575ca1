import * as z from "zod";
import { err, type Failure, failure, messageOf, ok, type Result } from "./result.ts";

/** The version of the messages on NATS. Unknown newer fields pass; another version is refused by its number. */
export const protocolVersion = 1;

/** A message is at most this long; NATS refuses more than 1 MiB anyway. */
export const maxMessageBytes = 1_000_000;

const Versioned = z.looseObject({ v: z.int() });

/**
 * Parses one NATS message. Errors: `message-too-large`, `message-not-json`, `message-version`, `message-invalid`,
 * each with a text that names the field.
 */
export function parseMessage<S extends z.ZodType>(
  schema: S,
  bytes: Uint8Array,
): Result<z.output<S>, Failure> {
  if (bytes.byteLength > maxMessageBytes) {
    return err(
      failure("message-too-large", `a message of ${bytes.byteLength} bytes; at most ${maxMessageBytes}`),
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    return err(failure("message-not-json", `not JSON: ${messageOf(cause)}`, cause));
  }
  const versioned = Versioned.safeParse(json);
  if (!versioned.success) return err(failure("message-invalid", "a message is an object with a number 'v'"));
  if (versioned.data.v !== protocolVersion) {
    return err(
      failure("message-version", `message version ${versioned.data.v}; this side speaks ${protocolVersion}`),
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return ok(parsed.data);
  const first = parsed.error.issues[0];
  return err(
    failure(
      "message-invalid",
      `${first?.path.join(".") || "message"}: ${first?.message ?? "invalid"}`,
      parsed.error,
    ),
  );
}

export function encodeMessage(message: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}
