import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Member } from "@siding/shared/command";
import { HostId, TargetId } from "@siding/shared/ids";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A real HTTP service on a free port of this machine, standing for an instance on a host. */
export class Origin {
  readonly server: Server;
  readonly name: string;
  seen = 0;

  private constructor(name: string, answer: Answer) {
    this.name = name;
    this.server = createServer({ maxHeaderSize: 128 * 1024 }, (request, response) => {
      this.seen += 1;
      answer(request, response);
    });
    // Longer than any test: who closes first shall be nginx.
    this.server.keepAliveTimeout = 60_000;
  }

  static async listen(name: string, answer: Answer = echoName(name)): Promise<Origin> {
    const origin = new Origin(name, answer);
    await new Promise<void>((resolve) => origin.server.listen(0, "127.0.0.1", resolve));
    return origin;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** This service as it stands in an upstream's list. */
  get member(): Member {
    return {
      hostId: HostId.parse(this.name),
      slot: "blue",
      targetId: TargetId.parse("v1@0123456789ab.1"),
      address: "127.0.0.1",
      port: this.port,
    };
  }

  openConnections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Takes the body and answers with a name. */
function echoName(name: string): Answer {
  return (request, response) => {
    request.resume().on("end", () => response.end(name));
  };
}
