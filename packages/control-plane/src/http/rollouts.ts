import { z } from "@hono/zod-openapi";
import { contentDigest } from "@siding/shared/digest";
import { RolloutId, ServiceName } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import { ControlBody, listOf, PreviewDocument, RolloutBody, RolloutDocument } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import type { Context } from "hono";
import type { EventBody } from "../ledger/event.ts";
import { knownByKey } from "../ledger/idempotency.ts";
import { admitRollback, admitRollout } from "../orchestrator/admit.ts";
import { type ControlVerb, controlRollout, controlVerbs } from "../orchestrator/control.ts";
import { rolloutDocument } from "../orchestrator/document-rollout.ts";
import { previewRollout } from "../orchestrator/preview.ts";
import type { Refusal } from "../orchestrator/refusal.ts";
import type { AdmitContext } from "../orchestrator/wish.ts";
import type { HttpEnv } from "./auth.ts";
import { bodyOf } from "./body.ts";
import { type Desk, rolloutCreatedBy, viewOf } from "./desk.ts";
import { type Endpoint, jsonAnswer, jsonBody } from "./endpoint.ts";
import { refusalOfIssues } from "./issues.ts";
import { notCommitted, problem } from "./problem.ts";

const params = z.object({ id: RolloutId });

const defaultPage = 50;
const largestPage = 500;
const ListQuery = z.strictObject({
  service: ServiceName.optional(),
  limit: z.coerce.number().int().min(1).max(largestPage).default(defaultPage),
  after: RolloutId.optional().openapi({ description: "`next` of the page before" }),
});

const idempotencyHeader = "Idempotency-Key";
const IdempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/, "1 to 255 visible ASCII characters");

/** What a request may say of itself so that it is taken once. */
export const idempotencyHeaders = z.object({ [idempotencyHeader]: IdempotencyKey.optional() });

const controlSummaries: Readonly<Record<ControlVerb, string>> = {
  pause: "Finish the batch in hand, then hold",
  resume: "Go on",
  promote: "Pass the gate that waits",
  abort: "Give the batch in hand back, then end",
  rollback: "Bring every changed instance back to where it came from",
};

/** Rollouts: start, read, control. */
export function rolloutEndpoints(desk: Desk): readonly Endpoint[] {
  return [
    {
      method: "post",
      path: "/v1/services/{service}/rollouts",
      summary: "Start a rollout",
      access: "admin",
      request: {
        params: z.object({ service: ServiceName }),
        headers: idempotencyHeaders,
        ...jsonBody(RolloutBody),
      },
      responses: {
        200: jsonAnswer("This very request was taken before; its rollout", RolloutDocument),
        201: jsonAnswer("Started", RolloutDocument),
      },
      handle: (context) => startRollout(desk, context),
    },
    {
      method: "post",
      path: "/v1/services/{service}/rollouts/preview",
      summary: "What a rollout would do: plan, lowest capacity, reloads, refusals; nothing happens",
      access: "admin",
      request: { params: z.object({ service: ServiceName }), ...jsonBody(RolloutBody) },
      responses: { 200: jsonAnswer("What it would do", PreviewDocument) },
      handle: (context) => preview(desk, context),
    },
    {
      method: "get",
      path: "/v1/rollouts",
      summary: "List rollouts, the newest first",
      access: "admin",
      request: { query: ListQuery },
      responses: { 200: jsonAnswer("A page of rollouts", listOf(RolloutDocument)) },
      handle: (context) => listRollouts(desk, context),
    },
    {
      method: "get",
      path: "/v1/rollouts/{id}",
      summary: "Read a rollout: what it does, what it waits for, what happens next",
      access: "admin",
      request: { params },
      responses: { 200: jsonAnswer("The rollout", RolloutDocument) },
      handle: (context) => answerWith(desk, context.req.param("id") as RolloutId, 200),
    },
    ...controlVerbs.map(
      (verb): Endpoint => ({
        method: "post",
        path: `/v1/rollouts/{id}/${verb}`,
        summary: controlSummaries[verb],
        access: "admin",
        request: { params, ...jsonBody(ControlBody, false) },
        responses: {
          200: jsonAnswer("Taken; the rollout as it stands", RolloutDocument),
          ...(verb === "rollback"
            ? { 201: jsonAnswer("It was finished; the new rollout that brings it back", RolloutDocument) }
            : {}),
        },
        handle: (context) => control(desk, context, verb),
      }),
    ),
  ];
}

function answerWith(desk: Desk, id: RolloutId, status: 200 | 201): Response {
  const view = viewOf(desk);
  const rollout = view.state.rollouts.get(id);
  if (rollout) return Response.json(rolloutDocument(view, rollout), { status });
  return problem({ code: "unknown-rollout", message: `there is no rollout '${id}'` });
}

async function startRollout(desk: Desk, context: Context<HttpEnv>): Promise<Response> {
  const body = await bodyOf(context, RolloutBody);
  if (!body.ok) return problem(body.error);
  const service = context.req.param("service") as ServiceName;
  return begin(desk, context, { service, body: body.value.written }, (request) =>
    admitRollout(desk.ledger.state, desk.beats.view(), service, body.value.value, request),
  );
}

/** Begins a rollout, once for each idempotency key. `request` is what the key stands for. */
export function begin(
  desk: Desk,
  context: Context<HttpEnv>,
  request: unknown,
  admit: (context: AdmitContext) => Result<readonly EventBody[], Refusal>,
): Response {
  const idempotencyKey = idempotencyOf(context, request);
  if (!idempotencyKey.ok) return problem(idempotencyKey.error);
  const replayed = replayOf(desk, idempotencyKey.value);
  if (!replayed.ok) return problem(replayed.error);
  if (replayed.value) return answerWith(desk, replayed.value, 200);
  const { ledger, orchestrator, newRolloutId } = desk;
  const id = newRolloutId();
  const { by } = context.var.identity;
  const now = { at: ledger.clock.at(), nowMs: ledger.clock.nowMs() };
  const admitted = admit({ id, by, ...now, idempotencyKey: idempotencyKey.value });
  if (!admitted.ok) return problem(admitted.error);
  const committed = orchestrator.commit(admitted.value, by);
  return committed.ok ? answerWith(desk, id, 201) : problem(notCommitted(committed.error));
}

async function preview(desk: Desk, context: Context<HttpEnv>): Promise<Response> {
  const body = await bodyOf(context, RolloutBody);
  if (!body.ok) return problem(body.error);
  const { ledger, beats } = desk;
  const service = context.req.param("service") as ServiceName;
  const seen = previewRollout(ledger.state, beats.view(), service, body.value.value, ledger.clock.nowMs());
  return seen.ok ? Response.json(seen.value) : problem(seen.error);
}

interface Idempotency {
  readonly key: string;
  readonly requestDigest: `sha256:${string}` & ReturnType<typeof contentDigest>;
}

function idempotencyOf(context: Context, request: unknown): Result<Idempotency | null, Refusal> {
  const given = context.req.header(idempotencyHeader);
  if (given === undefined) return ok(null);
  const key = IdempotencyKey.safeParse(given);
  if (key.success) {
    return ok({ key: key.data, requestDigest: contentDigest(request) as Idempotency["requestDigest"] });
  }
  return err(refusalOfIssues(key.error.issues.map((issue) => ({ ...issue, path: [idempotencyHeader] }))));
}

/** The rollout that this key began; null where the key is new. */
function replayOf({ ledger }: Desk, idempotency: Idempotency | null): Result<RolloutId | null, Refusal> {
  const earlier = idempotency && knownByKey(ledger.state, idempotency.key, ledger.clock.nowMs());
  if (!earlier) return ok(null);
  if (earlier.requestDigest === idempotency.requestDigest) return ok(earlier.rolloutId);
  const message = `${idempotencyHeader} '${idempotency.key}' began rollout ${earlier.rolloutId} with another request`;
  return err({ code: "idempotency-conflict", message });
}

function listRollouts(desk: Desk, context: Context<HttpEnv>): Response {
  const query = ListQuery.safeParse(context.req.query(), { reportInput: true });
  if (!query.success) return problem(refusalOfIssues(query.error.issues, "the query"));
  const { service, limit, after } = query.data;
  const view = viewOf(desk);
  const matching = [...view.state.rollouts.values()]
    .filter((rollout) => service === undefined || rollout.service === service)
    .toSorted((left, right) => right.createdAtMs - left.createdAtMs || (left.id < right.id ? -1 : 1));
  const start = after === undefined ? 0 : matching.findIndex(({ id }) => id === after) + 1;
  const page = matching.slice(start, start + limit);
  const last = start + limit < matching.length ? page.at(-1) : undefined;
  return context.json({
    items: page.map((rollout) => rolloutDocument(view, rollout)),
    ...(last ? { next: last.id } : {}),
  });
}

async function control(desk: Desk, context: Context<HttpEnv>, verb: ControlVerb): Promise<Response> {
  const body = await bodyOf(context, ControlBody, { optional: true });
  if (!body.ok) return problem(body.error);
  const id = context.req.param("id") as RolloutId;
  const { by } = context.var.identity;
  const { comment } = body.value.value;
  const events = verb === "rollback" ? rollback(desk, id, by, comment) : said(desk, id, verb, by, comment);
  if (!events.ok) return problem(events.error);
  const committed = desk.orchestrator.commit(events.value, by);
  if (!committed.ok) return problem(notCommitted(committed.error));
  const created = rolloutCreatedBy(events.value);
  return created ? answerWith(desk, created, 201) : answerWith(desk, id, 200);
}

function said(desk: Desk, id: RolloutId, verb: ControlVerb, by: string, comment: string | undefined) {
  return controlRollout(desk.ledger.state, id, verb, { by, comment });
}

/** One under way turns round; a finished one is rolled back by a rollout of its own. */
function rollback(desk: Desk, id: RolloutId, by: string, comment: string | undefined) {
  const { ledger, beats, newRolloutId } = desk;
  const rollout = ledger.state.rollouts.get(id);
  if (!rollout || !isFinished(rollout.status)) return said(desk, id, "rollback", by, comment);
  const context = { id: newRolloutId(), by, at: ledger.clock.at(), nowMs: ledger.clock.nowMs() };
  return admitRollback(ledger.state, beats.view(), rollout, { ...context, idempotencyKey: null });
}
