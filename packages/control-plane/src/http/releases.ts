import { z } from "@hono/zod-openapi";
import { contentDigest } from "@siding/shared/digest";
import { Digest, ServiceName } from "@siding/shared/ids";
import { ReleaseBody, ReleaseDocument } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import type { Context } from "hono";
import type { RemoteArtifact } from "../artifacts/url-fetcher.ts";
import { releaseKey } from "../ledger/state.ts";
import {
  artifactEvents,
  registerRelease,
  releaseBefore,
  type WantedRelease,
} from "../orchestrator/declare.ts";
import { releaseDocument } from "../orchestrator/document-service.ts";
import { storageProblemCode } from "./artifacts.ts";
import type { HttpEnv } from "./auth.ts";
import { bodyOf } from "./body.ts";
import type { Desk } from "./desk.ts";
import { type Endpoint, jsonAnswer, jsonBody } from "./endpoint.ts";
import { notCommitted, problem } from "./problem.ts";

/** Who finds too many fetches under way comes back when one of them may be over. */
const retryAfterS = "30";

/** Releases: versions and their artifacts, which were uploaded or are fetched; and units that are adopted. */
export function releaseEndpoints(desk: Desk): readonly Endpoint[] {
  return [
    {
      method: "post",
      path: "/v1/services/{service}/releases",
      summary: "Register a release: a version and its artifact, or a unit that runs already",
      access: "admin",
      request: { params: z.object({ service: ServiceName }), ...jsonBody(ReleaseBody) },
      responses: {
        200: jsonAnswer("The same release was there already", ReleaseDocument),
        201: jsonAnswer("Registered; with `url`, once it is fetched", ReleaseDocument),
      },
      handle: (context) => release(desk, context),
    },
  ];
}

async function release(desk: Desk, context: Context<HttpEnv>): Promise<Response> {
  const body = await bodyOf(context, ReleaseBody);
  if (!body.ok) return problem(body.error);
  const { ledger, orchestrator } = desk;
  const service = context.req.param("service") as ServiceName;
  const { artifact } = body.value.value;
  const wanted = wantedOf(body.value.value);
  const { version } = wanted;
  const before = releaseBefore(ledger.state, service, wanted);
  if (!before.ok) return problem(before.error);
  if (artifact?.url !== undefined && !before.value) {
    const brought = await bring(desk, context, { url: artifact.url, digest: wanted.digest });
    if (!brought.ok) return brought.error;
  }
  // On the present state: much may have happened while the artifact came.
  const registered = registerRelease(ledger.state, service, wanted);
  if (!registered.ok) return problem(registered.error);
  const committed = orchestrator.commit(registered.value.events, context.var.identity.by);
  if (!committed.ok) return problem(notCommitted(committed.error));
  const record = ledger.state.releases.get(releaseKey(service, version));
  if (!record) throw new Error(`release ${version} of ${service} was registered and is not there`);
  return context.json(releaseDocument(record), registered.value.created ? 201 : 200);
}

/** What is adopted has no bytes: the unit's name is all there is to tell it by. */
function wantedOf({ version, artifact, adopt }: ReleaseBody): WantedRelease {
  if (adopt !== undefined) return { version, digest: contentDigest({ adopts: adopt }), adopts: adopt };
  return { version, digest: artifact?.digest ?? Digest.parse(`sha256:${artifact?.sha256}`) };
}

/** Fetches what is not here yet. */
async function bring(
  { artifacts, fetcher, ledger, orchestrator, log }: Desk,
  context: Context<HttpEnv>,
  remote: RemoteArtifact,
): Promise<Result<null, Response>> {
  const isKnown = ledger.state.artifacts.has(remote.digest);
  if (isKnown && (await artifacts.sizeOf(remote.digest)) !== null) return ok(null);
  // The client hears nothing meanwhile, and is not gone for that.
  context.env?.incoming?.socket.setTimeout(fetcher.deadlineMs);
  const fetched = await fetcher.fetch(remote);
  if (!fetched.ok) {
    const { code, message } = fetched.error;
    log.warn({ event: "artifact-not-fetched", code, url: remote.url, err: fetched.error.cause }, message);
    if (code === "too-many-fetches")
      return err(problem({ code: "busy", message }, { "retry-after": retryAfterS }));
    const path = code === "artifact-digest-mismatch" ? "artifact.sha256" : "artifact.url";
    return err(problem({ code: storageProblemCode(fetched.error), message, errors: [{ path, message }] }));
  }
  const events = artifactEvents(ledger.state, fetched.value);
  const committed = orchestrator.commit(events, context.var.identity.by);
  return committed.ok ? ok(null) : err(problem(notCommitted(committed.error)));
}
