import type { IConfiguration, IForbiddenRuleType } from "dependency-cruiser";

// Who may import whom: the house of ARCHITECTURE.md as rules. checks/planted.test.ts proves that each one bites.

const SHARED = "^packages/shared/src/";
/** How a program speaks to the systemd that runs it: agent and control plane both do. */
const SYSTEMD = "^packages/systemd/src/";
const CONTROL_PLANE = "^packages/control-plane/src/";
const AGENT = "^packages/agent/src/";
const TESTS = "\\.test\\.ts$";
/** Schemas are values: parsing with them is no I/O. */
const ZOD = "node_modules/zod/";

/** The control plane's floors, top to bottom. Rooms on one floor see each other, and everything below. */
const FLOORS = [["http"], ["preview", "orchestrator", "messaging"], ["fleet"], ["ledger"], ["rollout"]];

const floorOf = (rooms: readonly string[]) => `${CONTROL_PLANE}(${rooms.join("|")})/`;

/** One rule a floor: from it, nothing above it. */
const floorRules: IForbiddenRuleType[] = FLOORS.slice(1).map((rooms, index) => ({
  name: `floor-${rooms.join("-")}-looks-down-only`,
  comment: "A floor of the control plane imports only itself and what is below it.",
  severity: "error",
  from: { path: floorOf(rooms), pathNot: TESTS },
  to: { path: floorOf(FLOORS.slice(0, index + 1).flat()) },
}));

/** Pure code sees itself and the given neighbours: no other code, no package, nothing of Node. */
const pureFolder = (
  name: string,
  folder: string,
  neighbours: readonly string[] = [],
): IForbiddenRuleType => ({
  name,
  comment:
    "Pure folders import only themselves and shared: that is why they run in the simulator and the preview.",
  severity: "error",
  from: { path: folder, pathNot: TESTS },
  to: { pathNot: [folder, SHARED, ...neighbours] },
});

/** A package that drives real processes and speaks to them over the wire. */
const outsider = (name: string, folder: string, neighbours: readonly string[] = []): IForbiddenRuleType => ({
  name,
  comment: "It starts real processes; what it knows of them is the shared language.",
  severity: "error",
  from: { path: folder },
  to: { path: "^(packages/[^/]+|bench|scripts)/", pathNot: [folder, SHARED, ...neighbours] },
});

const config = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "everything-resolves",
      comment: "An import that can't be resolved can't be judged either.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "no-production-code-on-tests",
      severity: "error",
      from: { pathNot: [TESTS, "^checks/"] },
      to: { path: TESTS },
    },
    {
      name: "shared-stands-alone",
      comment:
        "The language both sides speak depends on neither, and does no I/O; node:crypto is for digests.",
      severity: "error",
      from: { path: SHARED, pathNot: TESTS },
      to: { pathNot: [SHARED, ZOD, "^(node:)?crypto$"] },
    },
    {
      name: "agent-not-to-control-plane",
      severity: "error",
      from: { path: AGENT },
      to: { path: "^packages/", pathNot: [AGENT, SHARED, SYSTEMD] },
    },
    {
      name: "control-plane-not-to-agent",
      comment: "Of the dashboard it knows the files that it serves.",
      severity: "error",
      from: { path: CONTROL_PLANE },
      to: {
        path: "^packages/",
        pathNot: [CONTROL_PLANE, SHARED, SYSTEMD, "^packages/dashboard/src/files\\.ts$"],
      },
    },
    {
      name: "simulator-needs-no-outside-world",
      comment: "Virtual time only works on code without sockets: both sides' cores, none of their edges.",
      severity: "error",
      from: { path: "^packages/simulator/src/" },
      to: {
        path: [CONTROL_PLANE, AGENT],
        pathNot: [
          `${CONTROL_PLANE}(rollout|fleet)/`,
          `${CONTROL_PLANE}ledger/(clock|event|state|record-map|fold[^/]*)\\.ts$`,
          `${CONTROL_PLANE}messaging/(intake|outbox)\\.ts$`,
          `${CONTROL_PLANE}orchestrator/(admit|behind|control|decide|declare|edges|holds|refusal|restart|wish)\\.ts$`,
          `${AGENT}machine/`,
        ],
      },
    },
    outsider("playground-sees-no-inside", "^packages/playground/"),
    outsider("bench-sees-no-inside", "^bench/", ["^packages/playground/src/"]),
    pureFolder("rollout-is-pure", `${CONTROL_PLANE}rollout/`, [ZOD]),
    pureFolder("preview-is-pure", `${CONTROL_PLANE}preview/`, [`${CONTROL_PLANE}rollout/`]),
    pureFolder("machine-is-pure", `${AGENT}machine/`),
    {
      name: "fold-and-orchestrator-core-touch-nothing",
      comment: "Deciding and folding work on values; reading and writing is their caller's part.",
      severity: "error",
      from: {
        path: `${CONTROL_PLANE}(ledger/(fold|event|state|record-map|selection)|fleet/(live|snapshot|hearing|view-shelf)|orchestrator/(decide|admit|wish|new-rollout|plan-refusals|queue|refusal|behind|control|declare|edges|holds|reconcile|restart|restate)|messaging/(intake|outbox|unanswered|envelope))`,
        pathNot: TESTS,
      },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "adapters-only-from-main",
      comment: "The rest of the agent knows ports; main.ts puts the real thing behind each.",
      severity: "error",
      from: { path: "^packages/", pathNot: [`${AGENT}(main\\.ts|adapters/)`] },
      to: { path: `${AGENT}adapters/` },
    },
    {
      name: "main-is-imported-by-nobody",
      severity: "error",
      from: { path: "^packages/" },
      to: { path: `(${CONTROL_PLANE}|${AGENT})main\\.ts$` },
    },
    ...floorRules,
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(docs|deploy)/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".mjs", ".js", ".json", ".d.ts"],
      exportsFields: ["exports"],
      conditionNames: ["node", "import", "types", "default"],
      mainFields: ["module", "main", "types"],
    },
  },
} satisfies IConfiguration;

export default config;
