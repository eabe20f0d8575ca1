import * as z from "zod";

/**
 * Judges a value by a schema and leaves it as it came: fields of a newer sender stay in it, at any depth, and what an
 * older one did not say is not filled in. For what is known by the digest of all of it.
 */
export function asSent<S extends z.ZodType>(schema: S): z.ZodType<z.output<S>, z.input<S>> {
  const judged = z.unknown().superRefine((value, context) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return;
    for (const { path, message } of parsed.error.issues) {
      context.addIssue({ code: "custom", path: [...path], message });
    }
  });
  return judged as unknown as z.ZodType<z.output<S>, z.input<S>>;
}
