import type { EjectedReport } from "@siding/shared/report";
import type { ListedState, Upstream } from "./state.ts";
import { memberKey } from "./watch.ts";
import type { WideMap } from "./wide-map.ts";

/** Hosts that fail together are ejected together: their third bad answers come within this time. */
const coalesceMs = 250;
/** Ejections and readmissions alone reload nginx no more often than this. */
const reloadIntervalMs = 2_000;

/** Who is to be left out, in order, or why nobody is although they fail. */
interface Judgement {
  readonly ejected: readonly string[];
  readonly panic: string | null;
}

/**
 * Who of the listed is to be left out. Over half failing at once is more likely the edge's own trouble than theirs, and
 * taking the others down with their load would be worse: then nobody is left out, so that no list is ever emptied.
 */
export function judge(listed: WideMap<ListedState>): Judgement {
  if (listed.parts.every(isAllWell)) return nobodyEjected;
  const failing: string[] = [];
  const out: string[] = [];
  for (const [key, { standing }] of listed) {
    if (standing.kind !== "well") out.push(key);
    if (standing.kind === "failing") failing.push(key);
  }
  if (failing.length * 2 > listed.size) {
    const panic = `${failing.length} of ${listed.size} listed instances fail here at once: probes are ignored and nobody is ejected`;
    return { ejected: [], panic };
  }
  // Who only serves out a wait comes back before too many are missing.
  return { ejected: (out.length * 2 > listed.size ? failing : out).toSorted(), panic: null };
}

const nobodyEjected: Judgement = { ejected: [], panic: null };

/** Nearly always nobody fails, and an answer concerns one part: of the others this is known. */
const wellParts = new WeakMap<readonly ListedState[], boolean>();

function isAllWell(part: readonly ListedState[]): boolean {
  const isWell = wellParts.get(part) ?? part.every(({ standing }) => standing.kind === "well");
  wellParts.set(part, isWell);
  return isWell;
}

/** Has nginx reloaded where who is to be left out is not who is left out; healed meanwhile, nothing is done. */
export function followHealth(upstream: Upstream, nowMs: number): Upstream {
  const { served, journal, attempt, complaint, ejectedAtMs } = upstream;
  // A revision on its way takes the ejections along.
  const isNewest = served?.revision === journal.revision && served.digest === journal.digest;
  const refused = complaint?.kind === "refused" && complaint.said.revision === journal.revision;
  if (!isNewest || refused) return upstream;
  const asWanted = sameKeys(judge(upstream.listed).ejected, served.ejected);
  if (attempt.kind === "settled" && !asWanted) {
    const atMs = Math.max(nowMs + coalesceMs, (ejectedAtMs ?? 0) + reloadIntervalMs);
    return { ...upstream, attempt: { kind: "due", atMs, tries: 0 } };
  }
  const needless = attempt.kind === "due" && attempt.tries === 0 && asWanted;
  return needless ? { ...upstream, attempt: { kind: "settled" } } : upstream;
}

/** Whom nginx does not route to at present although the ledger lists them, and by which answer they failed. */
export function ejectedReports({ served, listed, journal }: Upstream): EjectedReport[] {
  const ejected = served?.ejected ?? [];
  if (ejected.length === 0) return [];
  return journal.content.members.flatMap((member): EjectedReport[] => {
    const key = memberKey(member);
    if (!ejected.includes(key)) return [];
    const standing = listed.get(key)?.standing;
    const detail = standing === undefined || standing.kind === "well" ? "answers again" : standing.detail;
    return [{ hostId: member.hostId, slot: member.slot, detail }];
  });
}

/** Both in order. */
export function sameKeys(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((key, index) => key === right[index]);
}
