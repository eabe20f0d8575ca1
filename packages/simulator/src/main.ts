import { Command, InvalidArgumentError } from "commander";
import { outcomesOf, type SeedOptions } from "./simulate.ts";
import { noTrace, writtenTrace } from "./trace.ts";

interface Arguments {
  readonly seeds: number;
  readonly seed: number;
  readonly hosts?: number;
  readonly trace: boolean;
  readonly checker: boolean;
  readonly crashEveryEvent: boolean;
}

function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`a whole number, at least ${least}`);
  };
}

const program = new Command("simulate")
  .description("Both pure cores under virtual time: safety under faults, then healing and liveness.")
  .option("--seeds <n>", "how many seeds, one after the other", whole(1), 200)
  .option("--seed <n>", "the first seed", whole(0), 1)
  .option("--hosts <n>", "hosts of each fleet (default: 4 to 20, by the seed)", whole(1))
  .option("--trace", "tell the whole story of each run", false)
  .option("--no-checker", "without the checker that refuses decisions in production")
  .option("--crash-every-event", "kill the control plane around every commit of an undisturbed run", false);

const given = program.parse().opts<Arguments>();

/** The command that leads to the same run again. */
function replay(seed: number): string {
  const more = [
    given.hosts === undefined ? "" : ` --hosts ${given.hosts}`,
    given.checker ? "" : " --no-checker",
    given.crashEveryEvent ? " --crash-every-event" : "",
  ];
  return `pnpm simulate --seed ${seed} --seeds 1${more.join("")} --trace`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const options: SeedOptions = {
  hosts: given.hosts ?? null,
  checker: given.checker,
  crashEveryEvent: given.crashEveryEvent,
};
const trace = given.trace ? writtenTrace(say) : noTrace;
const startedAt = performance.now();
let runs = 0;
let failed = 0;
let virtualMs = 0;
for (let seed = given.seed; seed < given.seed + given.seeds; seed += 1) {
  for (const { outcome, kill } of outcomesOf(seed, options, { trace })) {
    runs += 1;
    virtualMs += outcome.virtualMs;
    if (!outcome.verdict) continue;
    failed += 1;
    const { judge, rule, atMs, message } = outcome.verdict;
    const where = kill === null ? "" : `, control plane killed ${kill}`;
    say(`seed ${seed}${where}: judge ${judge} (${rule}) at ${(atMs / 1_000).toFixed(3)} s: ${message}`);
    say(`  replay: ${replay(seed)}`);
    break;
  }
}
const seconds = (performance.now() - startedAt) / 1_000;
const rate = (given.seeds / seconds).toFixed(1);
const hours = (virtualMs / 3_600_000).toFixed(1);
say(
  `${given.seeds} seeds (${runs} runs, ${hours} h of virtual time) in ${seconds.toFixed(1)} s: ${rate} seeds/s; ${failed} failed`,
);
process.exitCode = failed === 0 ? 0 : 1;
