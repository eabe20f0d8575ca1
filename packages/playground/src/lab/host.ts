import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../processes/program.ts";
import type { Yard } from "../processes/yard.ts";
import { until } from "../until.ts";
import { command } from "./command.ts";
import type { Network } from "./network.ts";

/** A boot takes about a second alone on the machine, and nobody says how many more share it. */
const BOOT_DEADLINE_MS = 60_000;
const OFF_DEADLINE_MS = 60_000;

/** Nothing of ours gets in: a host is another machine. */
const ENVIRONMENT = [
  "env",
  "-i",
  "HOME=/root",
  "LANG=C.UTF-8",
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
];

export interface HostPlace {
  readonly yard: Yard;
  readonly network: Network;
  readonly image: string;
  /** A folder that every host sees as /mnt, read-only. */
  readonly shared: string;
}

/** A host of the lab: systemd as PID 1, a disk of its own, an address of its own, and a power switch. */
export class LabHost {
  readonly name: string;
  readonly #place: HostPlace;
  readonly #uuid = randomUUID();
  #container: Program | undefined;

  constructor(place: HostPlace, name: string) {
    this.#place = place;
    this.name = name;
  }

  get address(): string {
    return this.#place.network.address(this.name);
  }

  /** Returns when systemd has started everything that it should. */
  async boot(): Promise<void> {
    const { yard, network, image, shared } = this.#place;
    const folder = yard.path("hosts", this.name);
    this.#container = yard.start({
      name: `host-${this.name}`,
      command: "unshare",
      args: [
        ...["--mount", "--propagation", "private", join(import.meta.dirname, "boot-host.sh")],
        ...[this.name, folder, image, network.namespace(this.name), this.#cgroup, this.#uuid, shared],
      ],
    });
    await this.#container.survives(until(`${this.name} to be up`, () => this.#isUp(), BOOT_DEADLINE_MS));
  }

  /** Every process of the host dies at once, and what it had only in memory is lost. */
  async cutPower(): Promise<void> {
    const init = this.#init();
    if (init !== null) process.kill(init, "SIGKILL");
    await this.#off();
  }

  /** In order. */
  async shutDown(): Promise<void> {
    this.#container?.signal("SIGTERM");
    await this.#off();
  }

  /** What a shell on the host says. Errors: throws where it ends with anything but 0. */
  sh(
    script: string,
    options: { readonly input?: string; readonly deadlineMs?: number } = {},
  ): Promise<string> {
    const init = this.#init();
    if (init === null) return Promise.reject(new Error(`${this.name} is off`));
    return command("nsenter", ["-t", String(init), "-a", "--", ...ENVIRONMENT, "sh", "-ec", script], options);
  }

  /** Writes a file, whole. */
  async write(path: string, text: string): Promise<void> {
    await this.sh(`cat > '${path}'`, { input: text });
  }

  /** The journal's end, for whoever has to find out what went wrong. */
  async journal(lines: number): Promise<string> {
    return this.sh(`journalctl --no-pager --lines ${lines}`).catch((error: unknown) => String(error));
  }

  async #off(): Promise<void> {
    const container = this.#container;
    if (container === undefined) return;
    const impatience = setTimeout(() => void container.kill(), OFF_DEADLINE_MS);
    await container.ended;
    clearTimeout(impatience);
    this.#container = undefined;
    await this.#removeCgroup();
  }

  async #isUp(): Promise<boolean> {
    const state = await this.sh("systemctl is-system-running || true", { deadlineMs: 5_000 });
    return ["running", "degraded"].includes(state.trim());
  }

  /** PID 1 of the host, as this machine counts; null while there is none. */
  #init(): number | null {
    if (this.#container === undefined || !this.#container.running) return null;
    const { pid } = this.#container;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children === "" ? null : Number(children.split(" ")[0]);
  }

  get #cgroup(): string {
    return this.#place.network.namespace(this.name);
  }

  /** The last process of a host may need a moment to be gone from it. */
  async #removeCgroup(): Promise<void> {
    const script =
      'for r in /sys/fs/cgroup /sys/fs/cgroup/unified; do [ ! -d "$r/$1" ] || find "$r/$1" -depth -type d -exec rmdir {} +; done';
    await until(
      `the cgroup of ${this.name} to be empty`,
      async () => {
        await command("sh", ["-c", script, "sh", this.#cgroup]);
        return true;
      },
      OFF_DEADLINE_MS,
    );
  }
}
