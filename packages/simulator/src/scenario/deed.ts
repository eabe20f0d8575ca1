import type { HostId } from "@siding/shared/ids";

/** What a person does by hand. Power is switched only where a machine is out of traffic by then. */
export type DeedKind =
  | "drain"
  | "remove"
  | "rejoin"
  | "exclude"
  | "include"
  | "switch-off"
  | "switch-on"
  /** For ever: the machine has left the fleet. */
  | "scrap";

/** What happens to one machine by hand, one after the other: each not before its time, and not before the one before. */
export interface Deeds {
  readonly hostId: HostId;
  readonly steps: readonly { readonly atMs: number; readonly kind: DeedKind }[];
}
