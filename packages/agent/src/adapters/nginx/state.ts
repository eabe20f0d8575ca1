import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { UpstreamContent } from "@siding/shared/command";
import { Digest, Revision, UpstreamName } from "@siding/shared/ids";
import { err, failure, messageOf, ok } from "@siding/shared/result";
import * as z from "zod";
import type { EdgeResult, ServedUpstream } from "../../ports/edge.ts";
import { SlotFile } from "../system/slot-file.ts";
import { FileNotWritten } from "./durable-file.ts";
import type { EdgeLayout } from "./layout.ts";

/** A content that nginx was given, under the number by which it is recognised. */
const Rendition = z.object({
  content: UpstreamContent,
  revision: Revision,
  digest: Digest,
  generation: z.int().min(1),
  /** Members that nginx was not given, as `hostId/slot`. */
  ejected: z.array(z.string()).default([]),
});

/** What an edge remembers of one upstream; nginx's files are rendered from it. */
const UpstreamState = z.object({
  v: z.literal(1),
  upstream: UpstreamName,
  /** Confirmed. Null until the first confirmation. */
  served: Rendition.nullable(),
  /**
   * Begun and not confirmed. `open`: an agent that died here finds out afterwards, by the workers that had to go, how it
   * ended. `given-up`: no effect was seen in time, but it may still come; only another reload brings certainty.
   */
  attempt: Rendition.extend({
    outcome: z.enum(["open", "given-up"]),
    oldWorkers: z.array(z.object({ pid: z.int().min(1), startTicks: z.int().min(0) })),
  }).nullable(),
  /** The highest generation ever given, also to an attempt that failed: none is given twice. */
  generation: z.int().min(0),
  reloads: z.int().min(0),
  /** Reloads that only changed who is left out. */
  ejections: z.int().min(0).default(0),
  turnoverMs: z.number().min(0),
});
export type UpstreamState = z.infer<typeof UpstreamState>;
export type Rendition = z.infer<typeof Rendition>;
export type Attempt = NonNullable<UpstreamState["attempt"]>;

export function unknownUpstream(upstream: UpstreamName): UpstreamState {
  return {
    v: 1,
    upstream,
    served: null,
    attempt: null,
    generation: 0,
    reloads: 0,
    ejections: 0,
    turnoverMs: 0,
  };
}

/** What nginx serves for certain; null where nothing is certain. */
export function servedOf({
  upstream,
  served,
  attempt,
  reloads,
  ejections,
  turnoverMs,
}: UpstreamState): ServedUpstream | null {
  if (served === null || attempt !== null) return null;
  const { revision, digest, generation, ejected } = served;
  return { upstream, revision, digest, generation, reloads, ejections, ejected, turnoverMs };
}

/** What nginx is given: the members less those that are left out. */
export function routedBy({ content, ejected }: Pick<Rendition, "content" | "ejected">): UpstreamContent {
  if (ejected.length === 0) return content;
  const members = content.members.filter(({ hostId, slot }) => !ejected.includes(`${hostId}/${slot}`));
  return { ...content, members };
}

/** Returns when it is durable. Throws {@link FileNotWritten}. */
export function saveState(layout: EdgeLayout, state: UpstreamState): void {
  const path = layout.stateFile(state.upstream);
  try {
    const file = new SlotFile(path);
    file.read();
    file.write(JSON.stringify(state));
  } catch (cause) {
    throw new FileNotWritten(path, cause);
  }
}

/** All that was remembered. One unreadable file is a failure: to go on without it would take the upstream away. */
export async function loadStates(layout: EdgeLayout): Promise<EdgeResult<UpstreamState[]>> {
  const states: UpstreamState[] = [];
  for (const name of (await readdir(layout.states)).sort()) {
    if (!name.endsWith(".json")) continue;
    const path = join(layout.states, name);
    const state = parseState(new SlotFile(path).read() ?? "");
    if (!state.ok) return err(failure("edge-state-unreadable", `${path}: ${state.error}`));
    states.push(state.value);
  }
  return ok(states);
}

function parseState(text: string) {
  try {
    return ok(UpstreamState.parse(JSON.parse(text)));
  } catch (error) {
    return err(messageOf(error));
  }
}
