import { type AdmitContext, admitRollout } from "@siding/control-plane/orchestrator/admit";
import { controlRollout } from "@siding/control-plane/orchestrator/control";
import { declareService, registerRelease } from "@siding/control-plane/orchestrator/declare";
import type { Refusal } from "@siding/control-plane/orchestrator/refusal";
import type { RolloutRecord } from "@siding/control-plane/rollout/record";
import type { RolloutId } from "@siding/shared/ids";
import type { ControlPlane, Desk } from "./plane/control-plane.ts";
import { artifactOf } from "./scenario/artifact.ts";
import type { PersonVerb, Wish } from "./scenario/scenario.ts";
import type { Surroundings } from "./surroundings.ts";

/** How often the person looks. */
const lookEveryMs = 1_500;
/** A refused wish is given up after so many looks in a healed world; before, it is asked for again and again. */
const patientLooks = 40;

const me = "person";

/** How a wish ended: as a rollout of this id, or refused for good. */
export type Fulfilment =
  | { readonly kind: "rollout"; readonly id: RolloutId }
  | { readonly kind: "refused"; readonly code: string };

/**
 * The one who declares the service, wants releases rolled out one after the other, and says something to a rollout that
 * has paused. While things go wrong the person also says things at the wrong moment.
 */
export class Person {
  readonly #around: Surroundings;
  readonly #plane: ControlPlane;
  readonly fulfilled: Fulfilment[] = [];
  #current: RolloutId | null = null;
  #looks = 0;
  #pausedSinceMs: number | null = null;
  #resumed = 0;

  constructor(around: Surroundings, plane: ControlPlane) {
    this.#around = around;
    this.#plane = plane;
  }

  get isContent(): boolean {
    return this.fulfilled.length === this.#around.scenario.wishes.length;
  }

  begin(): void {
    const { timeline, scenario } = this.#around;
    this.#look();
    for (const { atMs, verb } of scenario.person.says) timeline.at(atMs, () => this.#interrupt(verb));
  }

  #look(): void {
    this.#around.timeline.after(lookEveryMs, () => {
      if (this.isContent) return;
      this.#plane.ask((desk) => this.#lookAt(desk));
      this.#look();
    });
  }

  #lookAt(desk: Desk): void {
    const rollout = this.#current && desk.state.rollouts.get(this.#current);
    if (!desk.state.services.has(this.#around.scenario.spec.name)) {
      this.#declare(desk);
    } else if (!rollout) {
      this.#wish(desk);
    } else if (rollout.finishedAt !== null) {
      this.fulfilled.push({ kind: "rollout", id: rollout.id });
      this.#current = null;
    } else {
      this.#attend(desk, rollout);
    }
  }

  #declare(desk: Desk): void {
    const { spec, written } = this.#around.scenario;
    const declared = declareService(desk.state, written, spec);
    if (declared.ok) desk.commit(declared.value, me);
  }

  #wish(desk: Desk): void {
    const wish = this.#around.scenario.wishes[this.fulfilled.length];
    if (!wish) return;
    const { spec } = this.#around.scenario;
    const digest = artifactOf(wish.version);
    if (!desk.state.artifacts.has(digest)) {
      desk.commit([{ type: "artifact-registered", digest, sizeBytes: 1 }], me);
    }
    const registered = registerRelease(desk.state, spec.name, { version: wish.version, digest });
    if (!registered.ok || !desk.commit(registered.value.events, me)) return;
    const id = `r${this.fulfilled.length + 1}` as RolloutId;
    // Taken already: the control plane died before it could say so.
    if (desk.state.rollouts.has(id)) this.#follow(id);
    else this.#ask(desk, id, wish);
  }

  #ask(desk: Desk, id: RolloutId, wish: Wish): void {
    const { name } = this.#around.scenario.spec;
    const context: AdmitContext = { by: me, at: desk.at, nowMs: desk.nowMs, id, idempotencyKey: null };
    const admitted = admitRollout(desk.state, desk.live, name, wish.body, context);
    this.#looks += 1;
    if (!admitted.ok) this.#refused(wish, admitted.error);
    else if (desk.commit(admitted.value, me)) this.#follow(id);
  }

  #follow(id: RolloutId): void {
    this.#current = id;
    this.#looks = 0;
    this.#resumed = 0;
    this.#pausedSinceMs = null;
  }

  #refused({ version }: Wish, { code, message }: Refusal): void {
    this.#trace(() => `person is refused ${version}: ${message}`);
    const passes = code === "no-hosts" || code === "no-edges";
    if (passes && (!this.#around.weather.healed || this.#looks < patientLooks)) return;
    this.fulfilled.push({ kind: "refused", code });
    this.#looks = 0;
  }

  /** A rollout that rests is told what to do after a while: to go on, and when that does not help, to end. */
  #attend(desk: Desk, rollout: RolloutRecord): void {
    const { patienceMs, resumes, ending } = this.#around.scenario.person;
    if (rollout.status !== "paused") {
      this.#pausedSinceMs = null;
      return;
    }
    const { nowMs } = this.#around.timeline;
    this.#pausedSinceMs ??= nowMs;
    if (nowMs - this.#pausedSinceMs < patienceMs) return;
    this.#pausedSinceMs = null;
    const goesOn = this.#resumed < resumes;
    if (goesOn) this.#resumed += 1;
    this.#say(desk, rollout.id, goesOn ? "resume" : ending);
  }

  #interrupt(verb: PersonVerb): void {
    if (this.#around.weather.healed) return;
    const id = this.#current;
    if (id) this.#plane.ask((desk) => this.#say(desk, id, verb));
  }

  #say(desk: Desk, id: RolloutId, verb: PersonVerb): void {
    const said = controlRollout(desk.state, id, verb, { by: me });
    this.#trace(() => `person says ${verb} to ${id}: ${said.ok ? "taken" : said.error.message}`);
    if (said.ok) desk.commit(said.value, me);
  }

  #trace(text: () => string): void {
    this.#around.trace.line(this.#around.timeline.nowMs, text);
  }
}
