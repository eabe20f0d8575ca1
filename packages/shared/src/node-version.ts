/** The oldest Node that every native part of Siding runs on (better-sqlite3 needs Node-API 10). */
export const OLDEST_NODE = "22.13.0";

/**
 * Says why this Node can't run Siding, or nothing when it can.
 *
 * @param running a version as in `process.versions.node`
 */
export function tooOldNode(running: string): string | undefined {
  if (compareVersions(running, OLDEST_NODE) >= 0) return undefined;
  return (
    `Siding needs Node ${OLDEST_NODE} or newer; this is Node ${running}. ` +
    "Run `npm run setup` once and use node_modules/.bin/node, or install Node 24."
  );
}

/** Ends the process with a clear message on a Node that is too old. First line of every program's main.ts. */
export function requireSupportedNode(): void {
  const problem = tooOldNode(process.versions.node);
  if (problem === undefined) return;
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map((part) => Number.parseInt(part, 10)));
  for (const index of [0, 1, 2]) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
