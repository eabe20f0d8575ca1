import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { Context } from "hono";
import { parseDocument } from "yaml";
import type { z } from "zod";
import type { Refusal } from "../orchestrator/refusal.ts";
import { refusalOfIssues } from "./issues.ts";

/** A spec of 10,000 lines has a tenth of it. */
const jsonBodyLimitBytes = 1_048_576;

/** YAML aliases can name each other into billions of nodes; a spec needs a handful. */
const maxYamlAliases = 100;

type Format = "json" | "yaml";
const formats: Readonly<Record<string, Format>> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/x-yaml": "yaml",
  "text/yaml": "yaml",
};

export interface BodyOptions {
  /** An absent body stands for `{}`. */
  readonly optional?: boolean;
  readonly yaml?: boolean;
}

/** A body as it was written and as the schema understood it. */
export interface ParsedBody<T> {
  readonly written: unknown;
  readonly value: T;
}

/** Reads and parses a body. Errors say which field, where, or that it is not read here at all. */
export async function bodyOf<S extends z.ZodType>(
  context: Context,
  schema: S,
  options: BodyOptions = {},
): Promise<Result<ParsedBody<z.output<S>>, Refusal>> {
  const written = await writtenBody(context, options);
  if (!written.ok) return written;
  const parsed = schema.safeParse(written.value, { reportInput: true });
  if (!parsed.success) return err(refusalOfIssues(parsed.error.issues));
  return ok({ written: written.value, value: parsed.data });
}

async function writtenBody(context: Context, options: BodyOptions): Promise<Result<unknown, Refusal>> {
  const bytes = await limitedBytes(context.req.raw, jsonBodyLimitBytes);
  if (!bytes.ok) return bytes;
  if (bytes.value.byteLength === 0 && options.optional) return ok({});
  const format = formatOf(context.req.header("content-type"), options);
  if (!format.ok) return format;
  return format.value === "json" ? parseJson(bytes.value) : parseYaml(bytes.value);
}

function formatOf(contentType: string | undefined, { yaml }: BodyOptions): Result<Format, Refusal> {
  const mediaType = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  const format = formats[mediaType];
  if (format === "json" || (format === "yaml" && yaml)) return ok(format);
  const read = yaml ? "application/json or application/yaml" : "application/json";
  const given = mediaType === "" ? "no content-type was given" : `this is ${mediaType}`;
  return err({ code: "unsupported-media-type", message: `send the body as ${read}; ${given}` });
}

/**
 * The whole body, unless it is longer than allowed: then it is refused by its announced length, or as soon as that much
 * has arrived. The rest is not read.
 */
async function limitedBytes(request: Request, limitBytes: number): Promise<Result<Uint8Array, Refusal>> {
  const tooLarge: Refusal = {
    code: "body-too-large",
    message: `a body of this kind has at most ${limitBytes} bytes`,
  };
  if (Number(request.headers.get("content-length") ?? 0) > limitBytes) return err(tooLarge);
  if (!request.body) return ok(new Uint8Array());
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    total += chunk.byteLength;
    if (total > limitBytes) return err(tooLarge);
    chunks.push(chunk);
  }
  return ok(Buffer.concat(chunks));
}

function parseJson(bytes: Uint8Array): Result<unknown, Refusal> {
  try {
    return ok(JSON.parse(textOf(bytes)));
  } catch (cause) {
    return err({ code: "malformed-json", message: `the body is not JSON: ${messageOf(cause)}` });
  }
}

function parseYaml(bytes: Uint8Array): Result<unknown, Refusal> {
  try {
    const document = parseDocument(textOf(bytes));
    const [first] = document.errors;
    if (first) return err({ code: "malformed-yaml", message: `the body is not YAML: ${first.message}` });
    return ok(document.toJS({ maxAliasCount: maxYamlAliases }));
  } catch (cause) {
    return err({ code: "malformed-yaml", message: `the body is not YAML: ${messageOf(cause)}` });
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
