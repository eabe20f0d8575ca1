import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import type { HostId } from "@siding/shared/ids";
import type { MiddlewareHandler } from "hono";
import type { Refusal } from "../orchestrator/refusal.ts";
import { problem } from "./problem.ts";

/** Who asks, as the ledger notes it. */
export type Identity =
  | { readonly role: "admin"; readonly by: "admin" }
  | { readonly role: "agent"; readonly by: `agent:${string}` };

/** Who may: anybody; agents and admins; admins. */
export type Access = "open" | "agent" | "admin";

export interface HttpEnv {
  /** What the server adds; a request that comes from no socket has none. */
  Bindings: Partial<HttpBindings>;
  Variables: { identity: Identity };
}

/** Every secret that opens something here. */
export class Tokens {
  /** By digest: how long a look-up takes tells nothing about a secret whose digest nobody can choose. */
  readonly #known = new Map<string, { readonly digest: Buffer; readonly identity: Identity }>();

  constructor(adminToken: string, hosts: readonly { readonly id: HostId; readonly token: string }[]) {
    for (const { id, token } of hosts) this.#add(token, { role: "agent", by: `agent:${id}` });
    this.#add(adminToken, { role: "admin", by: "admin" });
  }

  #add(token: string, identity: Identity): void {
    const digest = digestOf(token);
    this.#known.set(digest.toString("hex"), { digest, identity });
  }

  identify(token: string): Identity | null {
    const digest = digestOf(token);
    const known = this.#known.get(digest.toString("hex"));
    return known && timingSafeEqual(known.digest, digest) ? known.identity : null;
  }
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Lets through who may; others get a 401 or 403 before anything of their request is read. */
export function guard(tokens: Tokens, access: Access): MiddlewareHandler<HttpEnv> {
  return async (context, next) => {
    if (access === "open") return next();
    const bearer = /^Bearer +(\S+) *$/i.exec(context.req.header("authorization") ?? "")?.[1];
    const identity = bearer === undefined ? null : tokens.identify(bearer);
    if (!identity) return problem(unauthorized(bearer !== undefined), { "www-authenticate": "Bearer" });
    if (access === "admin" && identity.role !== "admin") return problem(forbidden(identity));
    context.set("identity", identity);
    return next();
  };
}

function unauthorized(wasGiven: boolean): Refusal {
  const message = wasGiven
    ? "this token is not known here"
    : "send 'Authorization: Bearer TOKEN'; the first admin token is in admin.token of the data directory";
  return { code: "unauthorized", message };
}

function forbidden({ by, role }: Identity): Refusal {
  return { code: "forbidden", message: `${by} has the role ${role}, which may only fetch artifacts` };
}
