import { connect, type Socket } from "node:net";

/** Where something listens on this machine. */
export type Listener = { readonly path: string } | { readonly host: string; readonly port: number };

/** A worker that does not answer in this time is asked again by whoever waits. */
const answerTimeoutMs = 1_000;
/** The answer is a number and a few headers. */
const maxAnswerBytes = 4_096;

/** The generation of an upstream that some worker serves now; null where none answers, or it knows no such upstream. */
export async function servedGeneration(status: Listener, upstream: string): Promise<number | null> {
  const answer = await ask(status, says(`GET / HTTP/1.0\r\nHost: ${upstream}\r\n\r\n`));
  const match = /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n(\d+)\n$/.exec(answer ?? "");
  const generation = match ? Number(match[1]) : null;
  // 0 is what the server without a name answers: this nginx lives, but has not read the upstream.
  return generation === 0 && upstream !== anyUpstream ? null : generation;
}

/** The same of a TCP upstream, whose status server says it to whoever connects. */
export async function servedStreamGeneration(status: Listener): Promise<number | null> {
  const match = /^(\d+)\n$/.exec((await ask(status, () => {})) ?? "");
  return match ? Number(match[1]) : null;
}

/** Asks for nothing but a sign of life. */
export const anyUpstream = "_";

/**
 * Returns when every connection that was waiting on the socket before has been accepted: the queue is first in, first
 * out, and nginx itself refuses a request without a host, so no service sees it.
 */
export async function flushQueue(socket: string): Promise<void> {
  await ask({ path: socket }, says("GET / HTTP/1.1\r\n\r\n"));
}

/**
 * The same for a TCP upstream. Nothing in a stream is nginx's own to answer, so a service sees a connection that closes
 * at once, as from any TCP health check; one that does not close in turn is not waited for.
 */
export async function flushStreamQueue(socket: string): Promise<void> {
  await ask({ path: socket }, (connection) => connection.end());
}

/** Sends a request. */
function says(request: string): (connection: Socket) => void {
  return (connection) => void connection.write(request);
}

/**
 * Connects and returns all that comes; null where the connection fails or times out. Who only listens must write nothing,
 * not even an empty text: a stream's server may have said its word and closed before, and the write would fail.
 */
function ask(listener: Listener, begin: (connection: Socket) => void): Promise<string | null> {
  return new Promise((resolve) => {
    let answer = "";
    const connection = connect(listener);
    const finish = (result: string | null) => {
      connection.destroy();
      resolve(result);
    };
    connection.setEncoding("latin1");
    connection.setTimeout(answerTimeoutMs, () => finish(null));
    connection.on("connect", () => begin(connection));
    connection.on("data", (chunk: string) => {
      answer += chunk;
      if (answer.length > maxAnswerBytes) finish(null);
    });
    connection.on("end", () => finish(answer));
    connection.on("error", () => finish(null));
  });
}
