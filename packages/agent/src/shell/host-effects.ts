import { err, ok } from "@siding/shared/result";
import type { HostEffect } from "../machine/effect.ts";
import type { Event } from "../machine/event.ts";
import type { RunCheck } from "../ports/checks.ts";
import type { Driver } from "../ports/driver.ts";
import type { Hooks } from "../ports/hooks.ts";
import type { CountConnections } from "../ports/network.ts";
import type { Releases } from "../ports/releases.ts";

export interface HostPorts {
  readonly releases: Releases;
  readonly driver: Driver;
  readonly hooks: Hooks;
  readonly countConnections: CountConnections;
  readonly runCheck: RunCheck;
}

type Asked<K extends HostEffect["kind"]> = Extract<HostEffect, { kind: K }>;

/** Carries the host role's effects out. Decides nothing: each answer goes back to the machine. */
export class HostEffects {
  readonly #ports: HostPorts;
  /** What can be given up: stagings and hooks, by their op. */
  readonly #open = new Map<string, AbortController>();

  constructor(ports: HostPorts) {
    this.#ports = ports;
  }

  carryOut(effect: HostEffect): Promise<Event | null> {
    switch (effect.kind) {
      case "adopt":
        return this.#adopt(effect);
      case "stage-release":
        return this.#stage(effect);
      case "run-hook":
        return this.#runHook(effect);
      case "cancel-stage":
      case "cancel-hook":
        this.#open.get(effect.op)?.abort();
        return Promise.resolve(null);
      case "prune-releases":
        return this.#ports.releases.prune(effect.service, effect.keep).then(() => null);
      case "count-connections":
        return this.#count(effect);
      case "stop-process":
        return this.#stop(effect);
      case "start-process":
        return this.#start(effect);
      case "run-check":
        return this.#check(effect);
    }
  }

  async #adopt({ op, known }: Asked<"adopt">): Promise<Event> {
    await this.#ports.hooks.endLeft();
    const releases = await this.#ports.releases.found();
    const processes = await this.#ports.driver.find(known);
    return { kind: "adopted", op, processes, releases };
  }

  /** What this host would not run is known here, before any traffic changes. */
  #stage({ op, service, slot, target }: Asked<"stage-release">): Promise<Event> {
    const { driver, hooks, releases } = this.#ports;
    return this.#untilCancelled(op, async (signal) => {
      const order = { service, slot, target };
      const admitted = await driver.admit(order);
      const admittedToo = admitted.ok ? await hooks.admit(order) : admitted;
      const isThere = target.release.adopts !== undefined;
      const staged = () => (isThere ? ok(null) : releases.stage(service, target.release, signal));
      const result = admittedToo.ok
        ? await staged()
        : err({ failure: admittedToo.error, retry: "never" } as const);
      return { kind: "staged", op, service, slot, result };
    });
  }

  #runHook({ kind: _, op, service, slot, ...call }: Asked<"run-hook">): Promise<Event> {
    const { hooks, releases } = this.#ports;
    return this.#untilCancelled(op, async (signal) => {
      const { release } = call.target;
      // What was adopted has no folder of ours.
      const folder = release.adopts === undefined ? await releases.unpackedIn(service, release) : ok("/");
      const order = { service, slot, ...call };
      const result = folder.ok ? await hooks.run({ ...order, folder: folder.value }, signal) : folder;
      return { kind: "hook-ended", op, service, slot, hook: call.hook, result };
    });
  }

  async #untilCancelled(op: string, work: (signal: AbortSignal) => Promise<Event>): Promise<Event> {
    const open = new AbortController();
    this.#open.set(op, open);
    try {
      return await work(open.signal);
    } finally {
      this.#open.delete(op);
    }
  }

  async #count({ op, service, slot, process, port }: Asked<"count-connections">): Promise<Event> {
    const result = await this.#ports.countConnections(process, port);
    return { kind: "connections-counted", op, service, slot, result };
  }

  async #stop({ op, service, slot, process, graceMs }: Asked<"stop-process">): Promise<Event> {
    const result = await this.#ports.driver.stop(process, graceMs);
    return { kind: "process-stopped", op, service, slot, result };
  }

  async #start({ op, service, slot, startId, target, port }: Asked<"start-process">): Promise<Event> {
    const { releases } = this.#ports;
    const isLinked = target.release.adopts === undefined;
    const linked = isLinked
      ? await releases.link(service, slot, target.release)
      : ok(releases.folderOf(service, slot));
    const result = linked.ok
      ? await this.#ports.driver.start({ service, slot, startId, target, port, folder: linked.value })
      : linked;
    return { kind: "process-started", op, service, slot, result };
  }

  async #check(effect: Asked<"run-check">): Promise<Event> {
    const { op, service, slot } = effect;
    const folder = this.#ports.releases.folderOf(service, slot);
    const answer = await this.#ports.runCheck({ ...effect, folder });
    return { kind: "probed", op, owner: { kind: "instance", service, slot }, answer };
  }
}
