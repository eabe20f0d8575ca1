import { join } from "node:path";
import { Digest, ServiceName, type Slot, Version } from "@siding/shared/ids";
import type { Release } from "@siding/shared/target";
import * as z from "zod";

/** `/opt/siding/<service>/releases/<version>-<digest12>/`, and a link for each slot beside `releases`. */
export class ReleaseLayout {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  releases(service: ServiceName): string {
    return join(this.root, service, "releases");
  }

  release(service: ServiceName, release: Pick<Release, "version" | "digest">): string {
    return join(this.releases(service), folderName(release));
  }

  /** Says what is in the folder beside it; the folder itself holds the artifact's files and nothing else. */
  note(service: ServiceName, release: Pick<Release, "version" | "digest">): string {
    return join(this.releases(service), `${folderName(release)}${noteEnding}`);
  }

  /** The artifact as far as it has come: kept over a transfer that broke off, and over the agent's own end. */
  partial(service: ServiceName, { digest }: Pick<Release, "digest">): string {
    return join(this.releases(service), `${partialBeginning}${digest.slice("sha256:".length)}`);
  }

  link(service: ServiceName, slot: Slot): string {
    return join(this.root, service, slot);
  }

  /** Relative, so that the whole tree can be moved. */
  linkText(release: Pick<Release, "version" | "digest">): string {
    return join("releases", folderName(release));
  }
}

export const noteEnding = ".release.json";
export const draftBeginning = ".draft-";
export const partialBeginning = ".partial-";

export const ReleaseNote = z.object({ service: ServiceName, version: Version, digest: Digest });

function folderName({ version, digest }: Pick<Release, "version" | "digest">): string {
  return `${version}-${digest.slice(7, 19)}`;
}
