import type { HostId, ServiceName } from "@siding/shared/ids";

/** Where within its work the control plane is killed. */
export const killPoints = ["before-commit", "before-publish", "within-publish", "after-publish"] as const;
export type KillPoint = (typeof killPoints)[number];

/**
 * What goes wrong, when, and for how long. `afterEffects`: not at once, but when the agent there has begun so many more
 * effects, so that it hits between any two of one step.
 */
export type Fault =
  | {
      readonly kind: "agent-killed" | "power-cut";
      readonly atMs: number;
      readonly hostId: HostId;
      readonly afterEffects: number;
      readonly forMs: number;
    }
  | {
      readonly kind: "service-ends";
      readonly atMs: number;
      readonly hostId: HostId;
      readonly service: ServiceName;
    }
  | {
      readonly kind: "service-sick";
      readonly atMs: number;
      readonly hostId: HostId;
      readonly service: ServiceName;
      readonly forMs: number;
    }
  /** The machine comes back in another network. */
  | { readonly kind: "host-moved"; readonly atMs: number; readonly hostId: HostId }
  /** A second machine with a copy of the host's disk claims to be it. */
  | { readonly kind: "host-cloned"; readonly atMs: number; readonly hostId: HostId; readonly forMs: number }
  /** `noticed`: the party is told that it is cut off; else its messages just vanish. */
  | {
      readonly kind: "link-cut";
      readonly atMs: number;
      readonly parties: readonly Party[];
      readonly noticed: boolean;
      readonly forMs: number;
    }
  /** The edge's requests and probes do not reach the host. */
  | {
      readonly kind: "path-cut";
      readonly atMs: number;
      readonly edgeId: HostId;
      readonly hostId: HostId;
      readonly forMs: number;
    }
  /** nginx refuses every new configuration, or a reload has no effect. */
  | {
      readonly kind: "nginx-refuses" | "nginx-deaf";
      readonly atMs: number;
      readonly edgeId: HostId;
      readonly forMs: number;
    }
  | { readonly kind: "nginx-master-killed"; readonly atMs: number; readonly edgeId: HostId }
  | {
      readonly kind: "staging-fails";
      readonly atMs: number;
      readonly hostId: HostId;
      readonly retry: "until-deadline" | "few" | "never";
      readonly forMs: number;
    }
  /** Somebody sets the control plane's wall clock. */
  | { readonly kind: "clock-set"; readonly atMs: number; readonly byMs: number }
  /**
   * The control plane's ledger is replaced by a backup that was made after a share of its commits. So long after that is
   * noticed the operator says go on; null: it waits until somebody wants something of a rollout.
   */
  | {
      readonly kind: "ledger-restored";
      readonly atMs: number;
      readonly share: number;
      readonly forMs: number;
      readonly goOnAfterMs: number | null;
    }
  /** The disk of the control plane is full. */
  | { readonly kind: "ledger-full"; readonly atMs: number; readonly forMs: number }
  | {
      readonly kind: "control-plane-killed";
      readonly commit: number;
      readonly point: KillPoint;
      readonly forMs: number;
      /** Also after everything has healed: where the death is all that goes wrong. */
      readonly lasting: boolean;
    };

/** Who has a connection to the bus. */
export type Party = HostId | `${HostId}-clone` | typeof controlPlaneParty;
export const controlPlaneParty = "control-plane";
