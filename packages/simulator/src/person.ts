import type { EventBody } from "@siding/control-plane/ledger/event";
import { releaseKey } from "@siding/control-plane/ledger/state";
import type { Refusal } from "@siding/control-plane/orchestrator/refusal";
import type { AdmitContext } from "@siding/control-plane/orchestrator/wish";
import { isMove, type RolloutRecord } from "@siding/control-plane/rollout/record";
import type { RolloutId, ServiceName } from "@siding/shared/ids";
import type { Result } from "@siding/shared/result";
import type { Brain } from "./plane/brain.ts";
import type { ControlPlane, Desk } from "./plane/control-plane.ts";
import { artifactOf } from "./scenario/artifact.ts";
import type { MoveWish, PersonVerb, ServicePlan, Wish } from "./scenario/scenario.ts";
import type { Surroundings } from "./surroundings.ts";

/** How often the person looks. */
const lookEveryMs = 1_500;
/** A refused wish is given up after so many looks in a healed world; before, it is asked for again and again. */
const patientLooks = 40;

/** So often a wish is had once more for the sake of a ledger that waits; then it is left to somebody else. */
const mostRestores = 4;

/** How a wish ended: as a rollout of this id, or refused for good. */
export type Fulfilment =
  | { readonly kind: "rollout"; readonly id: RolloutId }
  | { readonly kind: "refused"; readonly code: string };

/** A rollout that is under way or waits; `wish` is null where an old ledger knows of it and the person did not. */
interface Open {
  readonly wish: number | null;
  readonly id: RolloutId;
  pausedSinceMs: number | null;
  resumed: number;
}

/**
 * The one who declares a service, wants releases rolled out one after the other, and says something to a rollout that
 * has paused. While things go wrong the person also says things at the wrong moment.
 */
export class Person {
  readonly #around: Surroundings;
  readonly #plane: ControlPlane;
  readonly #brain: Brain;
  readonly #plan: ServicePlan;
  readonly #fulfilled = new Map<number, Fulfilment>();
  #open: Open[] = [];
  #looks = 0;
  #restores = 0;
  /** How often the ledger has become another one. */
  #ledgers = 0;
  /** The ledger is older than its fleet, and waits for a word. */
  #isAwaited = false;

  constructor(around: Surroundings, plane: ControlPlane, brain: Brain, plan: ServicePlan) {
    this.#around = around;
    this.#plane = plane;
    this.#brain = brain;
    this.#plan = plan;
  }

  get service(): ServiceName {
    return this.#plan.spec.name;
  }

  get fulfilled(): readonly Fulfilment[] {
    return [...this.#fulfilled.values()];
  }

  get isContent(): boolean {
    return this.#isIdle && !this.#isAwaited;
  }

  /** The first that is neither fulfilled nor under way; null where there is none. */
  get nextWish(): Wish | null {
    return this.#plan.wishes[this.#nextIndex()] ?? null;
  }

  begin(): void {
    const { timeline } = this.#around;
    this.#look();
    for (const { atMs, verb } of this.#plan.person.says) timeline.at(atMs, () => this.#interrupt(verb));
  }

  get #isIdle(): boolean {
    return this.nextWish === null && this.#open.length === 0;
  }

  /** Whoever restores the ledger says go on. */
  get #isOperatorsToSay(): boolean {
    return this.#around.scenario.faults.some(
      (fault) => fault.kind === "ledger-restored" && fault.goOnAfterMs !== null,
    );
  }

  ledgerReplaced(): void {
    this.#ledgers += 1;
  }

  /** The newest thing that was done is wanted once more: nobody knows whether the ledger still has it. */
  ledgerRestored(): void {
    const newest = Math.max(...this.#fulfilled.keys());
    this.#fulfilled.delete(newest);
    this.#restores += 1;
  }

  #look(): void {
    this.#around.timeline.after(lookEveryMs, () => {
      this.#plane.ask((desk) => this.#lookAt(desk));
      this.#look();
    });
  }

  #lookAt(desk: Desk): void {
    if (!desk.state.services.has(this.service)) {
      const { spec, written } = this.#plan;
      this.#commit(desk, this.#brain.declareService(desk.state, written, spec));
      return;
    }
    this.#review(desk);
    this.#isAwaited = desk.state.behind !== null && this.#restores < mostRestores;
    if (this.#isIdle && this.#isOperatorsToSay) this.#declareAgain(desk);
    else if (this.#isIdle && this.#isAwaited) this.ledgerRestored();
    const wish = this.nextWish;
    if (wish && (this.#open.length === 0 || wish.isEager)) this.#wish(desk, wish);
    for (const open of this.#open) {
      const rollout = desk.state.rollouts.get(open.id);
      if (rollout) this.#attend(desk, open, rollout);
    }
  }

  /** The fleet goes on with an older ledger: what that has forgotten is declared again, and wanted once more. */
  #declareAgain(desk: Desk): void {
    const { state } = desk;
    const newest = Math.max(...this.#fulfilled.keys());
    const wish = this.#plan.wishes[newest];
    if (state.behind !== null || !wish) return;
    const meant = this.#plan.wishes.slice(0, newest + 1).findLast(declaresAnother)?.declares;
    const declared = this.#brain.declareService(
      state,
      (meant ?? this.#plan).written,
      (meant ?? this.#plan).spec,
    );
    const isLost = declared.ok && declared.value.some(({ type }) => type === "service-declared");
    this.#commit(desk, declared);
    const isDone = this.#fulfilled.get(newest)?.kind === "rollout";
    if (!isDone || wish.kind === "undo" || wish.kind === "restart") return;
    if (isLost || !state.releases.has(releaseKey(this.service, wish.version))) this.ledgerRestored();
  }

  /** What has ended, what an older ledger no longer knows, and what it knows that the person did not begin. */
  #review({ state }: Desk): void {
    for (const { wish, id } of this.#open) {
      const ended = (state.rollouts.get(id)?.finishedAt ?? null) !== null;
      if (ended && wish !== null) this.#fulfilled.set(wish, { kind: "rollout", id });
    }
    this.#open = this.#open.filter(({ id }) => state.rollouts.get(id)?.finishedAt === null);
    const active = state.services.get(this.service)?.activeRollout;
    const isMine = active && state.rollouts.get(active)?.origin === "person";
    if (isMine && !this.#open.some(({ id }) => id === active)) this.#follow(active, null);
  }

  #wish(desk: Desk, wish: Wish): void {
    if (wish.kind !== "restart" && !this.#prepare(desk, wish)) return;
    const { state } = desk;
    const index = this.#nextIndex();
    // The hosts know the restart that a ledger has forgotten: under its name they would not restart once more.
    const again = this.#restores + (wish.kind === "restart" ? this.#ledgers : 0);
    const id = `${this.service}-${index + 1}${"-again".repeat(again)}` as RolloutId;
    // Taken already: the control plane died before it could say so.
    if (state.rollouts.has(id)) this.#follow(id, index);
    else this.#ask(desk, { wish, index, id });
  }

  /** What a rollout needs, before it is asked for. False where it can't be had now. */
  #prepare(desk: Desk, { declares, version }: MoveWish): boolean {
    const { state } = desk;
    if (declares) {
      const declared = this.#brain.declareService(state, declares.written, declares.spec);
      if (!this.#commit(desk, declared)) return false;
    }
    const digest = artifactOf(this.service, version);
    if (!state.artifacts.has(digest)) {
      desk.commit([{ type: "artifact-registered", digest, sizeBytes: 1 }], "person");
    }
    const registered = this.#brain.registerRelease(state, this.service, { version, digest });
    return registered.ok && desk.commit(registered.value.events, "person");
  }

  #ask(desk: Desk, { wish, index, id }: { wish: Wish; index: number; id: RolloutId }): void {
    const context: AdmitContext = {
      by: "person",
      at: desk.at,
      nowMs: desk.nowMs,
      id,
      idempotencyKey: null,
    };
    const admitted = this.#admit(desk, wish, context);
    this.#looks += 1;
    if (!admitted.ok) this.#refused(wish, index, admitted.error);
    else if (desk.commit(admitted.value, "person")) this.#follow(id, index);
  }

  #admit({ state, live }: Desk, wish: Wish, context: AdmitContext): Result<readonly EventBody[], Refusal> {
    if (wish.kind === "restart") {
      return this.#brain.admitRestart(state, live, this.service, wish.body, context);
    }
    if (wish.kind !== "undo") return this.#brain.admitRollout(state, live, this.service, wish.body, context);
    const newest = [...state.rollouts.values()].findLast(
      (rollout) => rollout.service === this.service && isMove(rollout) && rollout.status === "succeeded",
    );
    if (newest) return this.#brain.admitRollback(state, live, newest, context);
    return { ok: false, error: { code: "nothing-to-do", message: "nothing was ever rolled out" } };
  }

  #follow(id: RolloutId, wish: number | null): void {
    this.#open.push({ wish, id, pausedSinceMs: null, resumed: 0 });
    this.#looks = 0;
  }

  #refused(wish: Wish, index: number, { code, message }: Refusal): void {
    this.#trace(() => `person is refused ${nameOf(wish)}: ${message}`);
    const passes = code === "no-hosts" || code === "no-edges" || code === "rollout-in-progress";
    if (passes && (!this.#around.weather.healed || this.#looks < patientLooks)) return;
    this.#fulfilled.set(index, { kind: "refused", code });
    this.#looks = 0;
  }

  /** A rollout that rests is told what to do after a while: to go on, and when that does not help, to end. */
  #attend(desk: Desk, open: Open, { status }: RolloutRecord): void {
    const { patienceMs, resumes, ending } = this.#plan.person;
    // What waits in a restored ledger waits for a person to look.
    const stands = status === "queued" && desk.state.behind !== null;
    if (status !== "paused" && !stands) {
      open.pausedSinceMs = null;
      return;
    }
    const { nowMs } = this.#around.timeline;
    open.pausedSinceMs ??= nowMs;
    if (nowMs - open.pausedSinceMs < patienceMs) return;
    open.pausedSinceMs = null;
    const goesOn = !stands && open.resumed < resumes;
    if (goesOn) open.resumed += 1;
    this.#say(desk, open.id, goesOn ? "resume" : ending);
  }

  #interrupt(verb: PersonVerb): void {
    const open = this.#open.at(verb === "abort" ? -1 : 0);
    if (open && !this.#around.weather.healed) this.#plane.ask((desk) => this.#say(desk, open.id, verb));
  }

  #say(desk: Desk, id: RolloutId, verb: PersonVerb): void {
    const said = this.#brain.controlRollout(desk.state, id, verb, { by: "person" });
    this.#trace(() => `person says ${verb} to ${id}: ${said.ok ? "taken" : said.error.message}`);
    this.#commit(desk, said);
  }

  #commit(desk: Desk, said: Result<readonly EventBody[], Refusal>): boolean {
    return said.ok && desk.commit(said.value, "person");
  }

  #nextIndex(): number {
    const asked = (index: number) =>
      this.#fulfilled.has(index) || this.#open.some(({ wish }) => wish === index);
    const index = this.#plan.wishes.findIndex((_, each) => !asked(each));
    return index === -1 ? this.#plan.wishes.length : index;
  }

  #trace(text: () => string): void {
    this.#around.trace.line(this.#around.timeline.nowMs, text);
  }
}

/** What a person would call it. */
export function nameOf(wish: Wish): string {
  return wish.kind === "restart" ? "a restart" : wish.version;
}

function declaresAnother(wish: Wish): wish is MoveWish {
  return wish.kind !== "restart" && wish.declares !== null;
}
