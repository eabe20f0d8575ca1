import * as z from "zod";

/** The mark that tells "a word of ours that this release does not know how to do yet" from "no such word". */
const notAvailableYet = "not-available-yet";

/**
 * A key of the language whose meaning is settled and whose work is not built yet. Present, it is refused by name
 * with what is meant; absent, nothing happens.
 */
export function notYet(whatItMeans: string) {
  return z
    .unknown()
    .superRefine((value, context) => {
      if (value === undefined) return;
      context.addIssue({
        code: "custom",
        message: `${whatItMeans}: not available in this release of Siding`,
        params: { siding: notAvailableYet },
      });
    })
    .optional();
}

/** True where a schema's issue says that something is not built yet, as opposed to wrong. */
export function isNotYetIssue(issue: z.core.$ZodIssue): boolean {
  return issue.code === "custom" && issue.params?.siding === notAvailableYet;
}
