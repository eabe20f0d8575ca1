import { z } from "zod";
import { command } from "./command.ts";
import { LAB_PREFIX, removeLeftOver } from "./left-over.ts";

/** The address of those outside: clients and whoever asks the API. */
const OUTSIDE = 1;

/** What we read of nft's JSON: the counters of its rules. */
const Ruleset = z.object({
  nftables: z.array(
    z.object({
      rule: z
        .object({ expr: z.array(z.object({ counter: z.object({ packets: z.int() }).optional() })) })
        .optional(),
    }),
  ),
});

/** A cable in one direction, by the names of its ends. */
export interface Direction {
  readonly from: string;
  readonly to: string;
}

/**
 * A switch in a network namespace of its own, one namespace a host, and one cable to the outside, which is where this
 * process is. No route leads anywhere else.
 */
export class Network {
  readonly #id: string;
  readonly #subnet: string;
  readonly #ports = new Map<string, number>();

  private constructor(id: string, subnet: string) {
    this.#id = id;
    this.#subnet = subnet;
  }

  static async make(): Promise<Network> {
    await removeLeftOver();
    // Two labs on one machine must not meet, whoever runs them.
    const test = Number(process.env.VITEST_POOL_ID ?? 0) % 8;
    const network = new Network(`${LAB_PREFIX}${process.pid}`, `10.${77 + test}.${process.pid % 250}`);
    await network.#makeSwitch();
    return network;
  }

  address(name: string): string {
    return `${this.#subnet}.${OUTSIDE + 10 + this.#port(name)}`;
  }

  namespace(name: string): string {
    return `${this.#id}-${name}`;
  }

  /** A namespace with one cable to the switch. */
  async plugIn(name: string): Promise<void> {
    const port = this.#ports.size + 1;
    this.#ports.set(name, port);
    const ns = this.namespace(name);
    await ip(`netns add ${ns}`);
    await ip(`-n ${ns} link set lo up`);
    await ip(`-n ${this.#switch} link add p${port} type veth peer name host0 netns ${ns}`);
    await ip(`-n ${this.#switch} link set p${port} master br0 up`);
    await ip(`-n ${ns} addr add ${this.address(name)}/24 dev host0`);
    await ip(`-n ${ns} link set host0 up`);
  }

  /** From now on nothing of these gets through; all else does. An empty list heals everything. */
  async cut(directions: readonly Direction[]): Promise<void> {
    const drops = directions.map(
      ({ from, to }) => `iifname "p${this.#port(from)}" oifname "p${this.#port(to)}" counter drop`,
    );
    const rules = `table bridge lab {}
delete table bridge lab
table bridge lab {
  chain forward {
    type filter hook forward priority 0;
    ${drops.join("\n    ")}
  }
}
`;
    await this.#nft(["-f", "-"], rules);
  }

  /** How many packets each cut has kept from getting through, in the order in which they were cut. */
  async dropped(): Promise<readonly number[]> {
    const { nftables } = Ruleset.parse(
      JSON.parse(await this.#nft(["--json", "list", "table", "bridge", "lab"])),
    );
    return nftables.flatMap(({ rule }) => rule?.expr.flatMap(({ counter }) => counter?.packets ?? []) ?? []);
  }

  #nft(args: readonly string[], input = ""): Promise<string> {
    return command("ip", ["netns", "exec", this.#switch, "nft", ...args], { input });
  }

  async remove(): Promise<void> {
    for (const name of [...this.#ports.keys(), "sw"]) await ip(`netns del ${this.namespace(name)}`);
  }

  get #switch(): string {
    return this.namespace("sw");
  }

  #port(name: string): number {
    const port = this.#ports.get(name);
    if (port === undefined) throw new Error(`there is no cable to ${name}`);
    return port;
  }

  async #makeSwitch(): Promise<void> {
    const outside = this.#id;
    await ip(`netns add ${this.#switch}`);
    await ip(`-n ${this.#switch} link set lo up`);
    await ip(`-n ${this.#switch} link add br0 type bridge`);
    await ip(`-n ${this.#switch} link set br0 up`);
    await ip(`link add ${outside} type veth peer name outside netns ${this.#switch}`);
    await ip(`-n ${this.#switch} link set outside master br0 up`);
    await ip(`addr add ${this.#subnet}.${OUTSIDE}/24 dev ${outside}`);
    await ip(`link set ${outside} up`);
  }
}

function ip(line: string): Promise<string> {
  return command("ip", line.split(" "));
}
