import { contentDigest } from "@siding/shared/digest";
import type { Digest, Version } from "@siding/shared/ids";

/** The digest of a release's artifact. */
export function artifactOf(version: Version): Digest {
  return contentDigest(`artifact of ${version}`);
}
