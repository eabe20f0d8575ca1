import * as z from "zod";

/** Text that reaches a process or a config file: control characters are refused, not cleaned. */
export const PlainText = z
  .string()
  .max(4_096)
  .refine((text) => !/\p{Cc}/u.test(text), "control characters are refused");

const reservedEnv = /^(ADDRESS|PORT|SIDING_.*)$/;

/** A variable that a service or a hook may be given. */
export const EnvName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "a variable's name has letters, digits and _")
  .refine((name) => !reservedEnv.test(name), "ADDRESS, PORT and SIDING_* are set by the agent");

/** A program and its arguments; no shell is between. */
export const CommandLine = z.array(PlainText.min(1)).min(1).max(256);

export const UserName = z
  .string()
  .regex(/^[a-z_][a-z0-9_-]{0,31}$/, "a user's name has small letters, digits, _ and -");
