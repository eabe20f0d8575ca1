import * as z from "zod";
import { defaults } from "./defaults.ts";
import { CommandLine } from "./plain-text.ts";
import { Duration } from "./units.ts";

const times = {
  intervalMs: z.int().min(1),
  timeoutMs: z.int().min(1),
  rise: z.int().min(1),
  graceMs: z.int().min(0),
};
const HttpHealth = z.object({ http: z.string(), ...times });
const TcpHealth = z.object({ tcp: z.literal(true), ...times });
const CommandHealth = z.object({ command: z.array(z.string()).min(1), ...times });

/**
 * How health is asked. A good answer is any 2xx or 3xx to `GET http`, a connection that the service takes (`tcp`), or the
 * exit code 0 of `command`, each within `timeoutMs`. An instance is healthy after `rise` good answers in a row,
 * `intervalMs` apart, and failed when it has not got there `graceMs` after its start.
 */
export const HealthSpec = z.union([HttpHealth, TcpHealth, CommandHealth]);
export type HealthSpec = z.infer<typeof HealthSpec>;

/** How an edge asks: it can't run a command on another host. */
export const EdgeCheck = z.union([HttpHealth, TcpHealth]);
export type EdgeCheck = z.infer<typeof EdgeCheck>;

/** What an edge can see of a service's health: of one that a command judges, whether its port takes connections. */
export function edgeCheckOf(health: HealthSpec): EdgeCheck {
  if (!("command" in health)) return health;
  const { command: _, ...asked } = health;
  return { tcp: true, ...asked };
}

const HealthShape = z.strictObject({
  http: z
    .string()
    .max(1_024)
    .regex(/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$/, "a path that starts with '/'")
    .optional(),
  tcp: z.literal(true, "only true says something: the service is asked for a connection").optional(),
  command: CommandLine.optional(),
  interval: Duration.default(defaults.health.intervalMs).refine((ms) => ms >= 10, "at least 10ms"),
  timeout: Duration.default(defaults.health.timeoutMs).refine((ms) => ms >= 10, "at least 10ms"),
  rise: z.int().min(1).max(100).default(defaults.health.rise),
  grace: Duration.default(defaults.health.graceMs),
});

/** Health as a person writes it: one of `http`, `tcp` and `command`, and how often. */
export const HealthInput = HealthShape.transform((input, context): HealthSpec => {
  const { http, tcp, command, interval: intervalMs, timeout: timeoutMs, rise, grace: graceMs } = input;
  const asked = { intervalMs, timeoutMs, rise, graceMs };
  const ways = [http, tcp, command].filter((way) => way !== undefined);
  if (ways.length === 1) {
    if (http !== undefined) return { http, ...asked };
    if (tcp !== undefined) return { tcp, ...asked };
    if (command !== undefined) return { command, ...asked };
  }
  const message = "one of http: /path, tcp: true and command: [program, …] says how health is asked";
  context.addIssue({ code: "custom", message: ways.length === 0 ? message : `${message}, and not several` });
  return z.NEVER;
});
