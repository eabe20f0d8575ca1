import type { HostId } from "@siding/shared/ids";

/** What is out of order at present, besides the bus: faults that last are counted in and out here. */
export class Weather {
  readonly #standing = new Map<string, number>();
  readonly #staging = new Map<HostId, "until-deadline" | "few" | "never">();
  #healed = false;
  /** How wrong the wall clock of the control plane is. */
  wallOffsetMs = 0;

  get healed(): boolean {
    return this.#healed;
  }

  heal(): void {
    this.#healed = true;
    this.#standing.clear();
    this.#staging.clear();
  }

  begin(trouble: Trouble): void {
    if (this.#healed) return;
    const key = keyOf(trouble);
    this.#standing.set(key, (this.#standing.get(key) ?? 0) + 1);
    if (trouble.kind === "staging-fails") this.#staging.set(trouble.hostId, trouble.retry);
  }

  end(trouble: Trouble): void {
    const key = keyOf(trouble);
    const left = (this.#standing.get(key) ?? 0) - 1;
    if (left > 0) this.#standing.set(key, left);
    else this.#standing.delete(key);
    if (trouble.kind === "staging-fails" && left <= 0) this.#staging.delete(trouble.hostId);
  }

  hasPath(edgeId: HostId, hostId: HostId): boolean {
    return !this.#standing.has(keyOf({ kind: "path-cut", edgeId, hostId }));
  }

  isRefusing(edgeId: HostId): boolean {
    return this.#standing.has(keyOf({ kind: "nginx-refuses", edgeId }));
  }

  isDeaf(edgeId: HostId): boolean {
    return this.#standing.has(keyOf({ kind: "nginx-deaf", edgeId }));
  }

  isDiskFull(): boolean {
    return this.#standing.has(keyOf({ kind: "ledger-full" }));
  }

  stagingTrouble(hostId: HostId): "until-deadline" | "few" | "never" | null {
    return this.#staging.get(hostId) ?? null;
  }
}

export type Trouble =
  | { readonly kind: "path-cut"; readonly edgeId: HostId; readonly hostId: HostId }
  | { readonly kind: "nginx-refuses" | "nginx-deaf"; readonly edgeId: HostId }
  | {
      readonly kind: "staging-fails";
      readonly hostId: HostId;
      readonly retry: "until-deadline" | "few" | "never";
    }
  | { readonly kind: "ledger-full" };

function keyOf(trouble: Trouble): string {
  switch (trouble.kind) {
    case "path-cut":
      return `path/${trouble.edgeId}/${trouble.hostId}`;
    case "nginx-refuses":
    case "nginx-deaf":
      return `${trouble.kind}/${trouble.edgeId}`;
    case "staging-fails":
      return `staging/${trouble.hostId}`;
    case "ledger-full":
      return trouble.kind;
  }
}
