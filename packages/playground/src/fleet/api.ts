import type { RolloutId } from "@siding/shared/ids";
import { Problem } from "@siding/shared/problem";
import {
  ArtifactDocument,
  EdgeDocument,
  FleetDocument,
  FleetSummary,
  HostDocument,
  listOf,
  ReleaseDocument,
  RolloutDocument,
  ServiceDocument,
} from "@siding/shared/rest";
import type { z } from "zod";
import { type Call, call, type Reply } from "./http-call.ts";

/** A request that the control plane refused. */
class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  readonly code: Problem["code"];
  readonly problem: Problem;

  constructor(what: string, problem: Problem) {
    const fields = (problem.errors ?? []).map(({ path, message }) => `; ${path}: ${message}`).join("");
    super(`${what}: ${problem.status} ${problem.code}: ${problem.detail}${fields}`);
    this.status = problem.status;
    this.code = problem.code;
    this.problem = problem;
  }
}

/** What is sent as JSON is not checked here: tests send nonsense on purpose. */
type Json = Readonly<Record<string, unknown>>;

export type Control = "pause" | "resume" | "promote" | "abort" | "rollback";

/** The control plane's REST API as its users see it. Errors: {@link Refused}, or what the network threw. */
export class Api {
  readonly url: string;
  readonly token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.token = token;
  }

  async declare(service: string, spec: Json): Promise<ServiceDocument> {
    return this.#ask(ServiceDocument, { method: "PUT", path: `/v1/services/${service}`, json: spec });
  }

  async service(service: string): Promise<ServiceDocument> {
    return this.#ask(ServiceDocument, { method: "GET", path: `/v1/services/${service}` });
  }

  async upload(artifact: Buffer): Promise<z.infer<typeof ArtifactDocument>> {
    const headers = { "content-type": "application/octet-stream" };
    return this.#ask(ArtifactDocument, { method: "POST", path: "/v1/artifacts", bytes: artifact, headers });
  }

  async release(service: string, version: string, digest: string): Promise<ReleaseDocument> {
    const json = { version, artifact: { digest } };
    return this.#ask(ReleaseDocument, { method: "POST", path: `/v1/services/${service}/releases`, json });
  }

  /** Registers the unit that runs on the hosts already. */
  async adopt(service: string, unit: string): Promise<ReleaseDocument> {
    const json = { version: "adopted", adopt: unit };
    return this.#ask(ReleaseDocument, { method: "POST", path: `/v1/services/${service}/releases`, json });
  }

  async rollout(service: string, body: Json, headers: Record<string, string> = {}): Promise<RolloutDocument> {
    const path = `/v1/services/${service}/rollouts`;
    return this.#ask(RolloutDocument, { method: "POST", path, json: body, headers });
  }

  /** Restarts a service on one host. */
  async restart(
    hostId: string,
    body: Json & { readonly service: string },
    headers: Record<string, string> = {},
  ): Promise<RolloutDocument> {
    const path = `/v1/hosts/${hostId}/restart`;
    return this.#ask(RolloutDocument, { method: "POST", path, json: body, headers });
  }

  async readRollout(id: RolloutId): Promise<RolloutDocument> {
    return this.#ask(RolloutDocument, { method: "GET", path: `/v1/rollouts/${id}` });
  }

  /** The rollout that was told; for the rollback of a finished one, the new rollout. */
  async control(id: RolloutId, what: Control, comment?: string): Promise<RolloutDocument> {
    const json = comment === undefined ? {} : { comment };
    return this.#ask(RolloutDocument, { method: "POST", path: `/v1/rollouts/${id}/${what}`, json });
  }

  async hosts(): Promise<HostDocument[]> {
    return (await this.#ask(listOf(HostDocument), { method: "GET", path: "/v1/hosts" })).items;
  }

  async edges(): Promise<EdgeDocument[]> {
    return (await this.#ask(listOf(EdgeDocument), { method: "GET", path: "/v1/edges" })).items;
  }

  async fleet(): Promise<FleetDocument> {
    return this.#ask(FleetDocument, { method: "GET", path: "/v1/fleet" });
  }

  /** Go on with the fleet as it is, after a backup was restored. */
  async resumeFleet(comment: string): Promise<FleetSummary> {
    return this.#ask(FleetSummary, { method: "POST", path: "/v1/fleet/resume", json: { comment } });
  }

  /** Any request, as it is answered. */
  async raw(what: Omit<Call, "url"> & { readonly path: string }): Promise<Reply> {
    const headers = { authorization: `Bearer ${this.token}`, ...what.headers };
    return call({ ...what, url: `${this.url}${what.path}`, headers });
  }

  async #ask<S extends z.ZodType>(schema: S, { json, bytes, ...what }: Ask): Promise<z.output<S>> {
    const headers = {
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...what.headers,
    };
    const body = json === undefined ? bytes : JSON.stringify(json);
    const reply = await this.raw({ ...what, headers, ...(body === undefined ? {} : { body }) });
    const answer: unknown = JSON.parse(reply.body.toString("utf8"));
    if (reply.status < 400) return schema.parse(answer);
    throw new Refused(`${what.method} ${what.path}`, Problem.parse(answer));
  }
}

type Ask = {
  readonly method: Call["method"];
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: Json;
  readonly bytes?: Buffer;
};
