import { existsSync } from "node:fs";
import { join } from "node:path";
import type { UpstreamContent } from "@siding/shared/command";
import { err, failure, ok } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";
import { type NginxFeatures, testConfig } from "./binary.ts";
import { writeDurably } from "./durable-file.ts";

/** How this nginx comes by `stream {}`; where it has none, why, and what mends that. */
export type StreamSupport =
  | { readonly kind: "built-in" }
  | { readonly kind: "module"; readonly path: string }
  | { readonly kind: "absent"; readonly why: string };

/**
 * Looks for nginx's TCP part. A module that is there is tried: one of another build would keep the inner nginx from
 * starting, and with it every service.
 *
 * @param folder where nginx's own test may leave its files
 */
export async function findStream(
  binary: string,
  { version, streamModule }: NginxFeatures,
  folder: string,
): Promise<StreamSupport> {
  if (streamModule === null) return { kind: "built-in" };
  const nginx = `nginx ${version} at '${binary}'`;
  const next = "Debian has it in libnginx-mod-stream; install it and restart the agent";
  if (!existsSync(streamModule)) {
    return { kind: "absent", why: `${nginx} has no stream module (no file ${streamModule}). ${next}` };
  }
  const config = join(folder, "stream-test.conf");
  const pidFile = join(folder, "stream-test.pid");
  await writeDurably(config, `load_module ${streamModule};\npid ${pidFile};\nevents {}\nstream {}\n`);
  const tested = await testConfig(binary, { path: folder, config });
  if (tested.ok) return { kind: "module", path: streamModule };
  return {
    kind: "absent",
    why: `${nginx} does not take its stream module: ${tested.error.message}. ${next}`,
  };
}

/** Whether this nginx can serve the upstream, as far as TCP goes. */
export function canStream(stream: StreamSupport, { upstream, protocol }: UpstreamContent): EdgeResult<void> {
  if (protocol !== "tcp" || stream.kind !== "absent") return ok(undefined);
  return err(failure("edge-config-refused", `upstream ${upstream} is TCP, and ${stream.why}`));
}
