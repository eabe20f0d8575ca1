import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";

export type Call = {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
};

export type Reply = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

/** Longer than any single answer of the API may take. */
const CALL_TIMEOUT_MS = 30_000;

/**
 * One HTTP request on a connection of its own: the control plane is killed and restarted here, and a pool would keep
 * connections to the dead one. Errors: throws where there is no whole answer.
 */
export async function call(what: Call): Promise<Reply> {
  const response = await openCall(what, CALL_TIMEOUT_MS);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

/** Like {@link call}, for an answer that is read while it comes, until `broken` says that nobody wants the rest. */
export function openCall(
  { method, url, headers, body }: Call,
  timeoutMs: number,
  broken?: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers }, agent: false, timeout: timeoutMs };
    const outgoing = request(url, broken === undefined ? options : { ...options, signal: broken }, resolve);
    outgoing.on("error", reject);
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${url}: silent for ${timeoutMs} ms`)));
    outgoing.end(body);
  });
}
