import { expect, test } from "vitest";
import { UntilError, until } from "./until.ts";

test("gives what the condition gives, as soon as it is truthy", async () => {
  let looks = 0;
  const value = await until(
    "the third look",
    () => {
      looks += 1;
      return looks === 3 ? "there" : undefined;
    },
    5_000,
  );
  expect(value).toBe("there");
  expect(looks).toBe(3);
});

test("names what it waited for, and keeps why looking failed", async () => {
  const waiting = until("a miracle", () => Promise.reject(new Error("no luck")), 1);
  await expect(waiting).rejects.toThrow(UntilError);
  await expect(waiting).rejects.toThrow("waited 1 ms for a miracle: no luck");
});
