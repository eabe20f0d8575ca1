import { UpstreamContent } from "@siding/shared/command";
import * as z from "zod";
import { NginxEdge, type NginxEdgeConfig } from "../edge.ts";

/**
 * An agent reduced to its edge: applies the given contents in turn until it is killed. Says `begun` before the first.
 */
const [config, contents, revision] = process.argv.slice(2).map((text): unknown => JSON.parse(text));
const edge = new NginxEdge(config as NginxEdgeConfig);
const started = await edge.start();
if (!started.ok) throw new Error(started.error.message);
process.stdout.write("begun\n");
const wanted = z.array(UpstreamContent).parse(contents);
for (let turn = 0; ; turn += 1) {
  const content = wanted[turn % wanted.length];
  if (!content) throw new Error("nothing to apply");
  const applied = await edge.apply(content, Number(revision) + turn);
  if (!applied.ok) throw new Error(applied.error.message);
}
