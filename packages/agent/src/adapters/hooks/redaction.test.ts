import { expect, it } from "vitest";
import { redacted, secretsIn } from "./redaction.ts";
import { Tail } from "./tail.ts";

it("hides every value of the host's file, and those of the spec whose name sounds like a secret", () => {
  const secrets = secretsIn(
    { DB: "postgres://app:p%40ss-word@db/web", MODE: "on" },
    { API_TOKEN: "abcd-1234", REGION: "eu-west" },
  );
  const text =
    "on eu-west: postgres://app:p%40ss-word@db/web refuses p@ss-word (p%40ss-word); token abcd-1234";
  expect(redacted(text, secrets)).toBe("on eu-west: *** refuses *** (***); token ***");
});

it("hides the lines of a secret that has several", () => {
  const key = "-----BEGIN-----\n  c2VjcmV0LW9mLW91cnM=\n-----END-----";
  expect(redacted("key c2VjcmV0LW9mLW91cnM= is bad", secretsIn({ KEY: key }, {}))).toBe("key *** is bad");
});

it("leaves nothing that a terminal would obey", () => {
  expect(redacted("\u001b[31mred\u001b[0m\rdone\u0007\u0000\tok\n", [])).toBe("red\ndone\tok\n");
});

it("keeps the end of an output, and no half of a character", () => {
  const tail = new Tail(7);
  for (const chunk of ["one ", "two ", "äöü", " end"]) tail.add(Buffer.from(chunk));
  expect(tail.text).toBe("ü end");
  const long = new Tail(4);
  long.add(Buffer.from(`${"a".repeat(100_000)}last`));
  expect(long.text).toBe("last");
});
