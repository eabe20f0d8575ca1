import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { err, failure, ok } from "@siding/shared/result";
import type { Balance } from "@siding/shared/spec";
import type { EdgeResult } from "../../ports/edge.ts";
import type { InnerFolder } from "./layout.ts";

/** What this build of nginx can do: detected, never assumed. */
export interface NginxFeatures {
  readonly version: string;
  /** Not too old for what the agent writes. */
  readonly supported: boolean;
  /** Response trailers can be passed on (from 1.27.2). */
  readonly passTrailers: boolean;
  /** Idle connections to hosts can be given a timeout (from 1.15.3). */
  readonly keepsConnections: boolean;
  /** Idle connections of clients can be kept open for a while at a reload (from 1.27.4). */
  readonly keepaliveMinTimeout: boolean;
  /** The host that has answered soonest can be chosen (from 1.31.0). */
  readonly leastTime: boolean;
  /** Connections can be passed on one direction at a time (from 1.21.4). */
  readonly halfClose: boolean;
  /** The file that TCP is in, if it is there at all; null where it is in the program itself. */
  readonly streamModule: string | null;
  /** Modules that make a folder for temporary files when nginx starts, by default where only root may write. */
  readonly tempPaths: readonly string[];
}

/** nginx answers within milliseconds; a disk that hangs shall not hang the agent. */
const commandTimeoutMs = 10_000;

/** What Debian 11 and Ubuntu 20.04 have; nothing older was ever tried. */
const oldestSupported = "1.18.0";
const oldestComparable = 1_018_000;

const modulesWithTempPath = ["fastcgi", "uwsgi", "scgi"];

/** Reads the text of `nginx -V`; null where it is none. */
export function parseFeatures(text: string): NginxFeatures | null {
  const match = /^nginx version: [^/\s]+\/(\d+)\.(\d+)\.(\d+)/m.exec(text);
  if (!match) return null;
  const [major, minor, patch] = match.slice(1).map(Number) as [number, number, number];
  const comparable = major * 1_000_000 + minor * 1_000 + patch;
  return {
    version: `${major}.${minor}.${patch}`,
    supported: comparable >= oldestComparable,
    passTrailers: comparable >= 1_027_002,
    keepsConnections: comparable >= 1_015_003,
    keepaliveMinTimeout: comparable >= 1_027_004,
    leastTime: comparable >= 1_031_000,
    halfClose: comparable >= 1_021_004,
    streamModule: streamModuleOf(text),
    tempPaths: modulesWithTempPath.filter((module) => !text.includes(`--without-http_${module}_module`)),
  };
}

/** As Debian builds nginx, TCP is a package of its own, and nginx finds it here once it is installed. */
function streamModuleOf(text: string): string | null {
  if (/ --with-stream(?=\s|$)/m.test(text)) return null;
  const given = (option: string) => new RegExp(` --${option}=(\\S+)`).exec(text)?.[1];
  const prefix = given("prefix") ?? "/usr/local/nginx";
  return resolve(prefix, given("modules-path") ?? "modules", "ngx_stream_module.so");
}

/** Whether this build can balance like that. */
export function canBalance(features: NginxFeatures, balance: Balance): EdgeResult<void> {
  if (balance !== "least-time" || features.leastTime) return ok(undefined);
  const message = `balance least-time needs nginx 1.31.0 or newer; this edge has ${features.version}`;
  return err(failure("edge-config-refused", message));
}

/** Asks the nginx at `path` what it is. */
export async function readFeatures(path: string): Promise<EdgeResult<NginxFeatures>> {
  const run = await runNginx(path, ["-V"], "/");
  const features = run.failed ? null : parseFeatures(run.output);
  if (features && !features.supported) {
    const message = `nginx ${features.version} at '${path}' is too old: ${oldestSupported} or newer is needed. Upgrade it, or name another one by edge.nginx in the agent's config`;
    return err(failure("edge-nginx-too-old", message));
  }
  if (features) return ok(features);
  const said = run.output === "" ? "it says nothing" : run.output;
  const message = `no nginx at '${path}' (${said}); ${oldestSupported} or newer is needed. Install it (apt-get install nginx), or name its path by edge.nginx in the agent's config`;
  return err(failure("edge-nginx-missing", message));
}

/** `nginx -t`: whether nginx accepts the config, in its own words where it does not. */
export async function testConfig(
  path: string,
  folder: Pick<InnerFolder, "path" | "config">,
): Promise<EdgeResult<void>> {
  return judged(await runNginx(path, ["-t", "-q", "-c", folder.config], folder.path));
}

/** The same for the user's whole config; null for the path that was built in. */
export async function testUserConfig(path: string, config: string | null): Promise<EdgeResult<void>> {
  return judged(await runNginx(path, ["-t", "-q", ...(config === null ? [] : ["-c", config])], "/"));
}

/** A full disk, in nginx's words. That is no judgement of the config, and passes. */
const diskFull = /\(28: No space left on device\)/;

function judged({ failed, output }: { failed: boolean; output: string }): EdgeResult<void> {
  if (!failed) return ok(undefined);
  return err(failure(diskFull.test(output) ? "edge-write-failed" : "edge-config-refused", output));
}

/** Starts a master that is no child of ours, so that it outlives the agent. Returns when it has taken its sockets. */
export async function launch(path: string, folder: InnerFolder): Promise<EdgeResult<void>> {
  const run = await runNginx(path, ["-c", folder.config, "-g", "daemon on;"], folder.path);
  return run.failed ? err(failure("edge-nginx-down", `nginx did not start: ${run.output}`)) : ok(undefined);
}

/** The most that a report carries of what nginx said. */
const maxOutput = 4_000;

function runNginx(path: string, args: string[], cwd: string): Promise<{ failed: boolean; output: string }> {
  return new Promise((done) => {
    execFile(path, args, { cwd, timeout: commandTimeoutMs }, (error, stdout, stderr) => {
      const said = `${stderr}${stdout}`.trim();
      const output = said === "" && error ? error.message : said;
      done({ failed: error !== null, output: output.slice(0, maxOutput) });
    });
  });
}
