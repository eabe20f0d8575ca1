import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

export interface Answered {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

export interface Ask {
  readonly port: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string;
  readonly agent?: Agent;
  /** Where it comes from. */
  readonly localAddress?: string;
}

/** One request, never retried; rejects when the connection breaks before the whole answer is there. */
export function ask({
  path = "/",
  method = "GET",
  headers = {},
  body,
  agent,
  ...from
}: Ask): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", ...from, path, method, headers, maxHeaderSize: 128 * 1024 };
    const sent = request({ ...options, ...(agent ? { agent } : { agent: false }) }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Keep-alive clients that never retry and count everything. Half of what they send are POSTs. */
export class StrictClients {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #loops: Promise<void>[];
  #running = true;
  readonly failures: string[] = [];
  readonly answers = new Map<string, number>();
  requests = 0;

  constructor(port: number, clients = 8) {
    this.#loops = Array.from({ length: clients }, (_, index) => this.#loop(port, index));
  }

  async #loop(port: number, index: number): Promise<void> {
    for (let turn = index; this.#running; turn += 1) {
      const post = turn % 2 === 0;
      this.requests += 1;
      try {
        const { status, body } = await ask({
          port,
          agent: this.#agent,
          ...(post ? { method: "POST", body: "x".repeat(2_000) } : {}),
        });
        if (status === 200) this.answers.set(body, (this.answers.get(body) ?? 0) + 1);
        else this.failures.push(`${post ? "POST" : "GET"} ${status}`);
      } catch (error) {
        this.failures.push(`${post ? "POST" : "GET"} ${String(error)}`);
      }
      // Think time: an idle connection is what a reload can cut.
      if (turn % 7 === 0) await pause(turn % 5);
    }
  }

  /** Resolves after this many more answers. */
  async more(count: number): Promise<void> {
    const enough = this.requests + count;
    while (this.requests < enough) await pause(5);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }
}
