import { expect, test } from "vitest";
import { parseBurst } from "./load.ts";

const report = (more = "", p99 = "3.21ms") => `Running 2s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.04ms  571.55us   9.06ms   83.01%
    Req/Sec    15.31k     1.01k   17.30k    70.00%
  Latency Distribution
     50%    0.94ms
     99%    ${p99}
  30515 requests in 2.00s, 4.25MB read
${more}Requests/sec:  15254.03
Transfer/sec:      2.12MB
`;

test("reads what wrk reports, in its units, and every kind of failure", () => {
  expect(parseBurst(report())).toEqual({ perSecond: 15_254.03, p99Ms: 3.21, failed: 0 });
  expect(parseBurst(report("", "850.00us")).p99Ms).toBeCloseTo(0.85);
  expect(parseBurst(report("", "1.50s")).p99Ms).toBe(1_500);
  const errors = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n";
  expect(parseBurst(report(errors)).failed).toBe(15);
  expect(() => parseBurst("unable to connect")).toThrow("no report of wrk's");
});
