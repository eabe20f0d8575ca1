import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { HookOrder } from "../../ports/hooks.ts";
import { endGroup, endStrays } from "../process/ending.ts";
import { isSessionLeader, type ProcessName, parseRef, refOfPid } from "../process/proc.ts";
import type { HookLauncher, Launch, Spawned } from "./launcher.ts";
import { bearersOfHook, hookMark } from "./mark.ts";

/** Hooks as children of the agent, found by a mark in their environment. */
export class ChildLauncher implements HookLauncher {
  readonly #owner: string;

  /** @param owner the agent's data folder: marks the processes as its own */
  constructor(owner: string) {
    this.#owner = owner;
  }

  prepare({ order, command, variables, account }: Launch): Spawned {
    const [program = "", ...args] = command;
    const ids = account === null ? {} : { uid: account.uid, gid: account.gid };
    const env = { ...variables, ...hookMark(this.#owner, order.runId) };
    return { program, args, options: { env, ...ids } };
  }

  /** Its group, and then what has left that. */
  async end({ runId }: HookOrder, leader: ProcessName, graceMs: number): Promise<Result<null, StepFailure>> {
    const ended = await endGroup(leader, graceMs);
    endStrays(bearersOfHook(this.#owner, runId), this.#owner);
    return ended;
  }

  /** Their leaders with their groups, then who has left these. */
  async endLeft(graceMs: number): Promise<void> {
    const leaders = bearersOfHook(this.#owner, null).filter(isSessionLeader);
    const named = leaders.flatMap((pid) => parseRef(refOfPid(pid) ?? "") ?? []);
    await Promise.all(named.map((leader) => endGroup(leader, graceMs)));
    endStrays(bearersOfHook(this.#owner, null), this.#owner);
  }
}
