import { contentDigest } from "@siding/shared/digest";
import type { Digest, ServiceName, Version } from "@siding/shared/ids";

/** The digest of a release's artifact. */
export function artifactOf(service: ServiceName, version: Version): Digest {
  return contentDigest(`artifact of ${service} ${version}`);
}
