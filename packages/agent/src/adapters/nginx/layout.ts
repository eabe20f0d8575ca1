import { join } from "node:path";
import type { UpstreamContent } from "@siding/shared/command";
import { err, failure, ok } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";

/** Where an edge keeps its files. */
export interface EdgeFolders {
  /** The user's nginx includes `<includeDir>/http/*.conf`. */
  readonly includeDir: string;
  /** Sockets, pid file and the inner nginx's own config: lost at a reboot. Open to nginx workers. */
  readonly runDir: string;
  /** What was confirmed, for ever. */
  readonly dataDir: string;
}

/** Which upstream, and in which part of a config: all that its files and sockets are named by. */
export type UpstreamPlace = Pick<UpstreamContent, "upstream" | "protocol">;

/** A path with anything else could end a directive, or be a pattern to `include`. */
const plainPath = /^\/[A-Za-z0-9._/@+-]*$/;

/** sun_path has 108 bytes, the last one a zero. */
const longestSocketPath = 107;
/** A generation of the inner nginx more than this is not expected in the life of a machine between two reboots. */
const longestInnerNumber = 999_999;

/**
 * One life of the inner nginx: all that it reads and opens is in one folder of its own, so a new master can be made
 * ready beside the workers of a killed one. The folder is the working directory of all its processes, which is how
 * they are recognised.
 */
export class InnerFolder {
  readonly path: string;
  readonly number: number;

  constructor(runDir: string, number: number) {
    this.number = number;
    this.path = join(runDir, `inner-${number}`);
  }

  get config() {
    return join(this.path, "nginx.conf");
  }
  /** Where a config is tested that nobody serves. */
  get rehearsal() {
    return { config: join(this.path, "rehearsal.conf"), upstreams: join(this.path, "rehearsal") };
  }
  get pidFile() {
    return join(this.path, "nginx.pid");
  }
  get temp() {
    return join(this.path, "temp");
  }
  get upstreams() {
    return join(this.path, "upstreams");
  }
  /** `_` is in no upstream's name. */
  get statusSocket() {
    return join(this.path, "_status.sock");
  }
  /** Which of the files in {@link upstreams} are for `http {}` and which for `stream {}`. */
  static readonly suffixes = { http: ".conf", tcp: ".stream" } as const;

  upstreamFile({ upstream, protocol }: UpstreamPlace) {
    return join(this.upstreams, `${upstream}${InnerFolder.suffixes[protocol ?? "http"]}`);
  }
  socket(upstream: string) {
    return join(this.path, `${upstream}.sock`);
  }
  /** Of a TCP upstream: a stream has no request that could name one of several. */
  statusSocketOf(upstream: string) {
    return join(this.path, `${upstream}_status.sock`);
  }

  static numberOf(name: string): number | null {
    const match = /^inner-(\d{1,6})$/.exec(name);
    return match ? Number(match[1]) : null;
  }
}

/** The paths that outlive any one inner nginx. */
export class EdgeLayout {
  readonly folders: EdgeFolders;

  private constructor(folders: EdgeFolders) {
    this.folders = folders;
  }

  static of(folders: EdgeFolders): EdgeResult<EdgeLayout> {
    for (const [name, path] of Object.entries(folders) as [string, string][]) {
      if (plainPath.test(path)) continue;
      return err(
        failure(
          "edge-path-refused",
          `${name} '${path}': an absolute path of letters, digits and . _ / @ + - is needed`,
        ),
      );
    }
    return ok(new EdgeLayout(folders));
  }

  /** Whether the upstream's sockets have room for their paths, also those of later inner nginxes. */
  fits({ upstream, protocol }: UpstreamPlace): EdgeResult<void> {
    const inner = this.inner(longestInnerNumber);
    const longest = protocol === "tcp" ? inner.statusSocketOf(upstream) : inner.socket(upstream);
    const excess = longest.length - longestSocketPath;
    if (excess <= 0) return ok(undefined);
    return err(
      failure(
        "edge-path-refused",
        `socket path of '${upstream}' in runDir '${this.folders.runDir}' is ${excess} characters too long: unix sockets take ${longestSocketPath}`,
      ),
    );
  }

  inner(number: number) {
    return new InnerFolder(this.folders.runDir, number);
  }
  /** The link to the folder of the inner nginx in charge: switched by one rename, for all upstreams at once. */
  get current() {
    return join(this.folders.runDir, "current");
  }
  /** The one member, for ever, of the upstream that the user's nginx knows. */
  stableSocket(upstream: string) {
    return join(this.current, `${upstream}.sock`);
  }
  get includes() {
    return join(this.folders.includeDir, "http");
  }
  get streamIncludes() {
    return join(this.folders.includeDir, "stream");
  }
  includeFile({ upstream, protocol }: UpstreamPlace) {
    return join(protocol === "tcp" ? this.streamIncludes : this.includes, `${upstream}.conf`);
  }
  /** Mode `include`: what all upstreams share. */
  get sharedFile() {
    return join(this.includes, "_siding.conf");
  }
  /** Mode `include`: what a location of the user includes for the bleed; not matched by `http/*.conf`. */
  get bleedFile() {
    return join(this.folders.includeDir, "bleed.conf");
  }
  get bleedFlag() {
    return join(this.folders.runDir, "bleed");
  }
  get states() {
    return join(this.folders.dataDir, "upstreams");
  }
  stateFile(upstream: string) {
    return join(this.states, `${upstream}.json`);
  }
  /** Outside the run folder: it shall outlive the nginx that it is about. */
  get errorLog() {
    return join(this.folders.dataDir, "inner-nginx.log");
  }
}
