import * as z from "zod";
import { notYet } from "./availability.ts";
import { defaults } from "./defaults.ts";
import { HealthInput } from "./health.ts";
import { HooksInput } from "./hooks.ts";
import { LabelName, Labels, Port, ServiceName, UpstreamName } from "./ids.ts";
import { CommandLine, EnvName, PlainText, UserName } from "./plain-text.ts";
import { TargetSpec } from "./target.ts";
import { AmountInput, Duration, StoredAmount } from "./units.ts";

const RunInput = z.strictObject({
  command: CommandLine,
  env: z.record(EnvName, PlainText).default({}),
  stopGrace: Duration.default(defaults.stopGraceMs),
  user: UserName.optional(),
  envFile: z
    .string()
    .regex(/^\/[A-Za-z0-9._@+/-]{1,1023}$/, "an absolute path of letters, digits and . _ / @ + -")
    .optional(),
});

/** A template, so that both slots can run: the instance is the slot. */
const UnitInput = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9][A-Za-z0-9:_.-]*@\.service$/, "a template unit of the hosts, such as web@.service");

const DrainInput = z.strictObject({
  deadline: Duration.default(defaults.drain.deadlineMs),
  onDeadline: z.enum(["proceed", "fail"]).default(defaults.drain.onDeadline),
  others: z.enum(["ignore", "wait"]).default(defaults.drain.others),
});

/** The stored form of a strategy. */
export const Strategy = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("rolling"),
    batchSize: StoredAmount,
    maxUnavailable: StoredAmount.nullable(),
    /** A label: a batch takes its hosts from as many of its values as it can. */
    spread: z.string().nullable(),
    allowDowntime: z.boolean(),
  }),
  z.object({ kind: z.literal("all-at-once"), allowDowntime: z.literal(true) }),
  z.object({ kind: z.literal("in-place"), groups: z.literal(2) }),
]);
export type Strategy = z.infer<typeof Strategy>;

const RollingInput = z.strictObject({
  kind: z.literal("rolling"),
  batchSize: AmountInput.optional(),
  maxUnavailable: AmountInput.optional(),
  spread: LabelName.optional(),
  allowDowntime: z.boolean().default(false),
  surge: notYet("surge lets standby hosts join first"),
  overlap: notYet("overlap starts the new release beside the old one on the same host"),
});
const InPlaceInput = z.strictObject({ kind: z.literal("in-place"), groups: z.literal(2).default(2) });
const AllAtOnceInput = z.strictObject({
  kind: z.literal("all-at-once"),
  allowDowntime: z.literal(true, {
    error: "all-at-once takes the whole service down for a moment; say allowDowntime: true if that is meant",
  }),
});
const laterStrategy = (kind: string, whatItMeans: string) =>
  z.looseObject({ kind: z.literal(kind) }).superRefine((_, context) =>
    context.addIssue({
      code: "custom",
      path: ["kind"],
      message: `strategy '${kind}' ${whatItMeans}: not available in this release of Siding`,
      params: { siding: "not-available-yet" },
    }),
  );

/** A strategy as a person writes it. It replaces the spec's whole where a rollout gives one. */
export const StrategyInput = z
  .discriminatedUnion("kind", [
    RollingInput,
    InPlaceInput,
    AllAtOnceInput,
    laterStrategy("blue-green", "moves everything to the idle slot in one reload"),
    laterStrategy("canary", "gives the new release a growing share of the traffic"),
  ])
  .transform((input): Strategy => {
    if (input.kind === "in-place") return { kind: "in-place", groups: 2 };
    if (input.kind === "all-at-once") return { kind: "all-at-once", allowDowntime: true };
    const { batchSize, maxUnavailable, spread, allowDowntime } = input as z.output<typeof RollingInput>;
    return {
      kind: "rolling",
      batchSize: batchSize ?? maxUnavailable ?? defaults.batchSize,
      maxUnavailable: maxUnavailable ?? null,
      spread: spread ?? null,
      allowDowntime,
    };
  });

/**
 * How an edge chooses among the listed: nginx's own ways. `weighted` goes by the host label `weight`, `ip-hash` by the
 * client's address, `least-time` needs an nginx that has it.
 */
export const Balance = z.enum(["round-robin", "weighted", "least-conn", "ip-hash", "least-time"]);
export type Balance = z.infer<typeof Balance>;

/** What an edge passes on: requests of HTTP, or whole TCP connections. */
export const EdgeProtocol = z.enum(["http", "tcp"]);
export type EdgeProtocol = z.infer<typeof EdgeProtocol>;

/** What a rollout does when more hosts fail than `maxFailures`. */
export const OnFailure = z.enum(["pause", "rollback", "stop"]);
export type OnFailure = z.infer<typeof OnFailure>;

/** The stored form of a service spec: parsed once, defaults filled in, durations in milliseconds. */
export const ServiceSpec = z.object({
  name: ServiceName,
  hosts: z.object({ match: Labels }),
  target: TargetSpec,
  /** `loadCeiling` is a share from 0 to 1 of a host's processors; null where load holds nothing back. */
  capacity: z.object({ minServing: StoredAmount, loadCeiling: z.number().gt(0).max(1).nullable() }),
  edge: z.object({
    match: Labels,
    upstream: UpstreamName,
    /** Left out it is HTTP: specs were stored before there was TCP. */
    protocol: EdgeProtocol.default("http"),
    balance: Balance,
  }),
  strategy: Strategy,
  onFailure: OnFailure,
  maxFailures: StoredAmount,
  verifyHoldMs: z.int().min(0),
  bakeTimeMs: z.int().min(0),
});
export type ServiceSpec = z.infer<typeof ServiceSpec>;

/** A share of a host's processors, as `"75%"`. */
const LoadCeilingInput = AmountInput.transform((amount, context): number => {
  if (amount.kind === "percent" && amount.percent > 0) return amount.percent / 100;
  context.addIssue({ code: "custom", message: 'a percentage above 0, such as "75%"' });
  return z.NEVER;
});

const Match = Labels.refine(
  (match) => Object.keys(match).length > 0,
  "at least one label, else every host would match",
);

/** Behind the inner nginx a TCP connection has no header that says whom it is from, and no answer to time. */
const balancesOfHttp: readonly Balance[] = ["ip-hash", "least-time"];

const EdgeInput = z
  .strictObject({
    match: Match,
    upstream: UpstreamName.optional(),
    protocol: EdgeProtocol.default("http"),
    balance: Balance.default(defaults.balance),
  })
  .superRefine(({ protocol, balance }, context) => {
    if (protocol === "http" || !balancesOfHttp.includes(balance)) return;
    const message = `${balance} is for HTTP; a TCP service takes round-robin, weighted or least-conn`;
    context.addIssue({ code: "custom", path: ["balance"], message });
  });

const SpecShape = z.strictObject({
  name: ServiceName,
  hosts: z.strictObject({ match: Match }),
  run: RunInput.optional(),
  unit: UnitInput.optional(),
  ports: z.strictObject({ blue: Port, green: Port }).optional(),
  port: Port.optional(),
  health: HealthInput,
  drain: DrainInput.prefault({}),
  capacity: z
    .strictObject({
      minServing: AmountInput.default(defaults.minServing),
      loadCeiling: LoadCeilingInput.optional(),
    })
    .prefault({}),
  edge: EdgeInput.optional(),
  strategy: StrategyInput.prefault({ kind: "rolling" }),
  onFailure: OnFailure.default(defaults.onFailure),
  maxFailures: AmountInput.default(defaults.maxFailures),
  verifyHold: Duration.default(defaults.verifyHoldMs),
  bakeTime: Duration.default(defaults.bakeTimeMs),
  hooks: HooksInput.prefault({}),
  gates: notYet("gates ask for approval, a time window or an analysis before the next batch"),
});

function runOf({ run, unit }: z.output<typeof SpecShape>): TargetSpec["run"] {
  if (run === undefined) return { unit: unit ?? "", stopGraceMs: defaults.stopGraceMs };
  const { command, env, stopGrace: stopGraceMs, user, envFile } = run;
  return {
    command,
    env,
    stopGraceMs,
    ...(user === undefined ? {} : { user }),
    ...(envFile === undefined ? {} : { envFile }),
  };
}

/**
 * A service spec as a person writes it (design section 8), to its stored form. Unknown keys are refused by name.
 */
export const SpecInput = SpecShape.transform((input, context): ServiceSpec => {
  const refuse = (path: string, message: string, later = false) => {
    context.addIssue({
      code: "custom",
      path: [path],
      message,
      ...(later ? { params: { siding: "not-available-yet" } } : {}),
    });
    return z.NEVER;
  };
  if ((input.run === undefined) === (input.unit === undefined)) {
    return refuse("run", "either run.command says how the service is started, or unit, and not both");
  }
  if ((input.ports === undefined) === (input.port === undefined)) {
    return refuse("ports", "either ports: { blue, green } or port, and not both");
  }
  if (input.ports && input.ports.blue === input.ports.green)
    return refuse("ports", "blue and green need ports of their own");
  if (input.edge === undefined)
    return refuse("edge", "a service without an edge is not available in this release of Siding", true);
  return {
    name: input.name,
    hosts: input.hosts,
    target: {
      run: runOf(input),
      ports: input.ports ?? { blue: input.port as number, green: null },
      health: input.health,
      drain: {
        deadlineMs: input.drain.deadline,
        onDeadline: input.drain.onDeadline,
        others: input.drain.others,
      },
      hooks: input.hooks,
    },
    capacity: { minServing: input.capacity.minServing, loadCeiling: input.capacity.loadCeiling ?? null },
    edge: {
      match: input.edge.match,
      upstream: input.edge.upstream ?? UpstreamName.parse(input.name),
      protocol: input.edge.protocol,
      balance: input.edge.balance,
    },
    strategy: input.strategy,
    onFailure: input.onFailure,
    maxFailures: input.maxFailures,
    verifyHoldMs: input.verifyHold,
    bakeTimeMs: input.bakeTime,
  };
});
export type SpecInput = z.input<typeof SpecInput>;
