import { parseArgs } from "node:util";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";

/** What the program is asked to do. */
export type Request =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "run" | "check" | "teardown"; readonly configPath: string };

export const usage = `usage: siding-agent --config FILE             run the agent
       siding-agent --config FILE --check     whether it could start with this config
       siding-agent --config FILE --teardown  stop every service that it runs on this host
       siding-agent --version
`;

/** Reads the command line, without the program's name. Errors: `usage`. */
export function readRequest(args: readonly string[]): Result<Request, Failure> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: "string" },
        check: { type: "boolean", default: false },
        teardown: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        version: { type: "boolean", default: false },
      },
    });
    const { config: configPath, check, teardown, help, version } = values;
    if (help || version) return ok(help ? { kind: "help" } : { kind: "version" });
    if (configPath === undefined) return err(failure("usage", "--config FILE is missing"));
    if (check && teardown) return err(failure("usage", "--check and --teardown can't be had together"));
    return ok({ kind: check ? "check" : teardown ? "teardown" : "run", configPath });
  } catch (cause) {
    return err(failure("usage", messageOf(cause), cause));
  }
}
