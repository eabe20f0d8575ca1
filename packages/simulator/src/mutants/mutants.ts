/** A deliberate mistake in the core: one exact replacement in one file of packages/control-plane/src. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The judges of whom one must see it where the checker is off. */
  readonly judges: readonly string[];
  /** The rule that the checker names when it refuses the decision; null where that is not the checker's to see. */
  readonly checkerRule: number | null;
}

/** What a person could get wrong on a bad day. Each must be caught by a judge, and where it can see it by the production checker. */
export const mutants: readonly Mutant[] = [
  {
    name: "capacity is off by one",
    file: "rollout/capacity.ts",
    from: "return serving >= Math.max(minServing, 1)",
    to: "return serving + 1 >= Math.max(minServing, 1)",
    judges: ["minimum"],
    checkerRule: 1,
  },
  {
    name: "a percentage is rounded down",
    file: "rollout/capacity.ts",
    from: "const wanted = Math.ceil((amount.percent / 100) * base - rounding);",
    to: "const wanted = Math.floor((amount.percent / 100) * base - rounding);",
    judges: ["minimum"],
    checkerRule: 1,
  },
  {
    name: "capacity forgets what the edges serve by",
    file: "rollout/capacity.ts",
    from: "const serving = Math.min(remaining, servingNow(snapshot));",
    to: "const serving = snapshot.hosts.length;",
    judges: ["minimum"],
    checkerRule: 1,
  },
  {
    name: "a host is drained before the edges confirm that it has left",
    file: "rollout/position.ts",
    from: "if (edges.length === 0) return null;",
    to: "if (edges.length >= 0) return null;",
    judges: ["confirmed", "lost-request"],
    checkerRule: 3,
  },
  {
    name: "only one edge's word is waited for",
    file: "rollout/position.ts",
    from: "mayServe(snapshot, edge, hostId, slot));\n  if (edges.length === 0) return null;",
    to: "edge === countedEdges(snapshot)[0] && mayServe(snapshot, edge, hostId, slot));\n  if (edges.length === 0) return null;",
    judges: ["confirmed", "lost-request"],
    checkerRule: 3,
  },
  {
    name: "a host is stopped without a drain",
    file: "rollout/position.ts",
    from: 'return instance.drained || instance.running === null ? { kind: "drained" } : { kind: "out" };',
    to: 'return { kind: "drained" };',
    judges: ["drained"],
    checkerRule: 3,
  },
  {
    name: "a host joins without the word of the edges",
    file: "rollout/position.ts",
    from: 'return edges.length === 0 ? { kind: "ready", command } : { kind: "probing", command, edges };',
    to: 'return edges.length >= 0 ? { kind: "ready", command } : { kind: "probing", command, edges };',
    judges: ["verified", "lost-request"],
    checkerRule: 2,
  },
  {
    name: "a host joins as soon as it is told to verify",
    file: "rollout/position.ts",
    from: "if (active) return { kind: phase, command };",
    to: 'if (active) return phase === "updating" ? { kind: phase, command } : { kind: "ready", command };',
    judges: ["verified", "lost-request"],
    checkerRule: 2,
  },
  {
    name: "the failure budget is never looked at",
    file: "rollout/interventions.ts",
    from: "budgetSpent(survey) ??",
    to: "",
    judges: ["budget"],
    checkerRule: 11,
  },
  {
    name: "silence does not stop the next batch",
    file: "rollout/gates.ts",
    from: "forward ? [unknownGate(snapshot), silenceGate(survey), bakeGate(survey)] : []",
    to: "forward ? [bakeGate(survey)] : []",
    judges: ["silence"],
    checkerRule: 6,
  },
  {
    name: "silence is a failure",
    file: "rollout/interventions.ts",
    from: 'if (rollout.intent === "forward") return setIntent(survey, "pause", overdueCause(survey, first));',
    to: 'if (rollout.intent === "forward") return setIntent(survey, "rollback", overdueCause(survey, first));',
    judges: ["silence"],
    checkerRule: 6,
  },
  {
    name: "a rollback says that it is complete, whatever is left",
    file: "rollout/completion.ts",
    from: "if (lost.length === 0) return finish",
    to: "if (lost.length >= 0) return finish",
    judges: ["rolled-back"],
    checkerRule: 9,
  },
  {
    name: "a rollout ends while hosts are out",
    file: "rollout/completion.ts",
    from: "if (going(survey).length > 0) return [];",
    to: "",
    judges: ["rest", "rolled-back"],
    checkerRule: 8,
  },
  {
    name: "who leaves is still counted",
    file: "rollout/capacity.ts",
    from: "const remaining = new Set(servingOn(snapshot, edge, next));",
    to: "const remaining = new Set(servingOn(snapshot, edge, [...next, ...before]));",
    judges: ["minimum"],
    checkerRule: 1,
  },
  {
    name: "a hold is ignored",
    file: "rollout/planning.ts",
    from: "!skip.includes(host.hostId) && host.hold === null && !isOnTarget",
    to: "!skip.includes(host.hostId) && !isOnTarget",
    judges: ["holds", "one-rollout"],
    checkerRule: null,
  },
  {
    name: "a second rollout begins beside the first",
    file: "orchestrator/admit.ts",
    from: "const rollout = activeRollout ? { ...fresh, ...queuedBehind(activeRollout) } : fresh;",
    to: "const rollout = fresh;",
    judges: ["one-rollout"],
    checkerRule: null,
  },
  {
    name: "the fleet leaves new hosts alone",
    file: "orchestrator/reconcile.ts",
    from: "if (!member) return target && {",
    to: "if (!member) return null; if (false) return target && {",
    judges: ["liveness"],
    checkerRule: null,
  },
  {
    name: "what the fleet does of itself rests for a person",
    file: "rollout/interventions.ts",
    from: 'const intent = wanted === "pause" && rollout.origin === "reconciler" ? "abort" : wanted;',
    to: "const intent = wanted;",
    judges: ["liveness"],
    checkerRule: null,
  },
  {
    name: "a restored ledger takes over nothing",
    file: "messaging/intake.ts",
    from: "...(isBehind ? observedIn(state, report) : [])",
    to: "...(isBehind ? observedIn(state, report).slice(0, 0) : [])",
    judges: ["behind-fleet"],
    checkerRule: null,
  },
  {
    name: "a restored ledger does not notice it",
    file: "orchestrator/behind.ts",
    from: "if (!seen) return [];",
    to: "if (!seen || state.epoch > 0) return [];",
    judges: ["behind-fleet"],
    checkerRule: null,
  },
];
