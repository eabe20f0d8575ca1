import { messageOf } from "@siding/shared/result";
import { StrategyInput } from "@siding/shared/spec";
import { Command, InvalidArgumentError } from "commander";
import type { EdgeMode } from "../fleet/agent.ts";
import type { RolloutRequest } from "../fleet/service-spec.ts";

export type DemoArguments = {
  readonly keep: boolean;
  readonly json: boolean;
  readonly hosts: number;
  /** As it was given, once the language has approved of it; undefined leaves it to the service's spec. */
  readonly strategy: RolloutRequest["strategy"];
  readonly edgeMode: EdgeMode;
};

/** Hosts are addresses 127.0.1.n; each is two processes, and the machine is small. */
const FEWEST_HOSTS = 2;
const MOST_HOSTS = 50;

const DEFAULT_HOSTS = 4;

/**
 * The demo's arguments. Errors: throws commander's CommanderError (exit code 0 for --help), having said what is wrong.
 *
 * @param say takes help and complaints
 */
export function parseArguments(args: readonly string[], say: (text: string) => void): DemoArguments {
  const command = new Command("npm run demo --")
    .description("Starts a whole Siding on this machine and rolls v1 to v2 under strict traffic.")
    .option("--keep", "start it with v1 serving, and stay until SIGINT or SIGTERM", false)
    .option("--json", "one JSON line on stdout, everything else on stderr", false)
    .option("--hosts <n>", `${FEWEST_HOSTS} to ${MOST_HOSTS} hosts`, hosts, DEFAULT_HOSTS)
    .option("--strategy <json>", `such as '{"kind":"in-place"}'`, strategy)
    .option("--edge-mode <mode>", "inner, or include: the front itself lists the hosts", edgeMode, "inner")
    .helpOption("-h, --help", "this text")
    .allowExcessArguments(false)
    .configureOutput({ writeOut: say, writeErr: say })
    .exitOverride();
  const options = command.parse(args, { from: "user" }).opts<DemoArguments>();
  const { keep, json, hosts: count, strategy: asked, edgeMode: mode } = options;
  return { keep, json, hosts: count, strategy: asked, edgeMode: mode };
}

function hosts(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= FEWEST_HOSTS && count <= MOST_HOSTS) return count;
  throw new InvalidArgumentError(`A whole number from ${FEWEST_HOSTS} to ${MOST_HOSTS} is needed.`);
}

function strategy(text: string): RolloutRequest["strategy"] {
  const given = parseJson(text);
  const parsed = StrategyInput.safeParse(given);
  if (parsed.success) return given as RolloutRequest["strategy"];
  const problems = parsed.error.issues.map(({ path, message }) => [...path.map(String), message].join(": "));
  throw new InvalidArgumentError(`${problems.join("; ")}.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`Not JSON (${messageOf(error)}); write '{"kind":"rolling"}'.`);
  }
}

function edgeMode(text: string): EdgeMode {
  if (text === "inner" || text === "include") return text;
  throw new InvalidArgumentError("There are: inner, include.");
}
