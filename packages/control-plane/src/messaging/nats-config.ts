import type { HostId } from "@siding/shared/ids";
import { maxMessageBytes } from "@siding/shared/message";
import { subjects } from "@siding/shared/subjects";

export interface NatsUser {
  readonly hostId: HostId;
  readonly token: string;
}

export interface NatsServerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly hosts: readonly NatsUser[];
  readonly secret: string;
  readonly logFile: string;
}

/** No host can be called so: host ids have no dot. */
export const controlPlaneUser = "siding.control-plane";

/** A log that has grown to this is turned over by nats-server. */
const logLimitBytes = 10 * 1_024 ** 2;

/**
 * The config of the managed nats-server, in JSON, which its parser reads. A host may publish as itself and hear what is
 * meant for it, nothing else; nats-server enforces that.
 */
export function natsServerConfig({ listen, hosts, secret, logFile }: NatsServerOptions): string {
  const hostUsers = hosts.map(({ hostId, token }) => ({
    user: hostId,
    password: token,
    permissions: {
      publish: { allow: [subjects.fromHost(hostId)] },
      subscribe: { allow: [subjects.toHost(hostId)] },
    },
  }));
  const self = {
    user: controlPlaneUser,
    password: secret,
    permissions: {
      publish: { allow: ["siding.v1.to.>"] },
      subscribe: { allow: [subjects.allReports, subjects.allBeats] },
    },
  };
  const config = {
    listen: `${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${listen.port}`,
    server_name: "siding",
    log_file: logFile,
    logfile_size_limit: logLimitBytes,
    max_payload: maxMessageBytes,
    // A host that lost its power is noticed by its missing beats; this only frees its connection.
    ping_interval: "20s",
    ping_max: 2,
    authorization: { timeout: 5, users: [self, ...hostUsers] },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
