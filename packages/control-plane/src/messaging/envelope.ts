import type { CommandId, ControlPlaneId } from "@siding/shared/ids";
import { protocolVersion } from "@siding/shared/message";
import type { HostRecord } from "../ledger/state.ts";

/** Names the sender: an agent refuses an older epoch, and an equal one from another id. */
export interface Stamp {
  readonly epoch: number;
  readonly controlPlaneId: ControlPlaneId;
}

/** What every command says of itself. */
export function envelope(
  host: HostRecord,
  stamp: Stamp,
  commandId: string,
  revision: number,
  deadlineMs: number,
) {
  return {
    v: protocolVersion,
    commandId: commandId as CommandId,
    hostId: host.hostId,
    epoch: stamp.epoch,
    controlPlaneId: stamp.controlPlaneId,
    incarnation: host.incarnation ?? ("" as NonNullable<HostRecord["incarnation"]>),
    revision,
    deadlineMs,
  } as const;
}
