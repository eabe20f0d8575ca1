import { createHash } from "node:crypto";
import { isAbsolute, join } from "node:path";
import type { ServiceName, Slot } from "@siding/shared/ids";
import type { CommandRun, Target } from "@siding/shared/target";

/** The unit of an instance: one that is adopted, or of the template that the agent writes or the host has. */
export function unitOf(
  service: ServiceName,
  slot: Slot,
  { release, spec: { run } }: Pick<Target, "release" | "spec">,
): string {
  const template = "unit" in run ? run.unit : writtenTemplate(service);
  return release.adopts ?? template.replace("@.", `@${slot}.`);
}

/** Whether the agent writes the unit itself. */
export function isWritten({ release, spec }: Pick<Target, "release" | "spec">): boolean {
  return release.adopts === undefined && !("unit" in spec.run);
}

/** `siding-web@.service` */
export function writtenTemplate(service: ServiceName): string {
  return `siding-${service}@.service`;
}

const seal = "# siding-digest: ";

/** A template for both slots; what differs between them is in a drop-in of each. */
export function templateText(service: ServiceName): string {
  return sealed(`# Written by the Siding agent for the service ${service}. Not to be changed: what you want otherwise goes into a
# drop-in (systemctl edit ${writtenTemplate(service)}), or into a template unit of your own (unit: in the service's spec).
[Unit]
Description=${service}, slot %i (Siding)
After=network.target
# The agent decides when it is tried again.
StartLimitIntervalSec=0

[Service]
Type=exec
KillMode=control-group
SendSIGKILL=yes
# Replaced for each slot.
ExecStart=/bin/false
`);
}

/** Whether somebody else than an agent has changed a file that one wrote. */
export function isTampered(text: string): boolean {
  const [first = "", ...rest] = text.split("\n");
  return first !== `${seal}${digestOf(rest.join("\n"))}`;
}

interface SlotSettings {
  /** Null where the unit has its environment already. */
  readonly envFile: string | null;
  /** Null where the host's own unit says all else. */
  readonly own: {
    readonly run: CommandRun;
    readonly program: string;
    readonly folder: string;
    readonly user: string | null;
  } | null;
}

/**
 * What a slot's unit gets besides its template. The environment is a file that is read at each start, so that a new
 * release alone changes no unit.
 */
export function dropInText({ envFile, own }: SlotSettings): string {
  const lines = ["# Written by the Siding agent.", "[Service]"];
  if (own !== null) lines.push(...commandLines(own));
  if (envFile !== null) lines.push(`EnvironmentFile=${specifierFree(envFile)}`);
  // Whoever starts it again by itself would hide its end from the agent, and from a rollout that verifies it.
  lines.push("Restart=no");
  return `${lines.join("\n")}\n`;
}

function commandLines({ run, program, folder, user }: NonNullable<SlotSettings["own"]>): string[] {
  return [
    "ExecStart=",
    `ExecStart=${[program, ...run.command.slice(1)].map(quoted).join(" ")}`,
    `WorkingDirectory=${specifierFree(folder)}`,
    ...(user === null ? [] : [`User=${user}`]),
    `TimeoutStopSec=${run.stopGraceMs}ms`,
    ...(run.envFile === undefined ? [] : [`EnvironmentFile=${specifierFree(run.envFile)}`]),
  ];
}

/** The text of an EnvironmentFile. */
export function environmentText(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}="${value.replaceAll(/["\\$`]/g, "\\$&")}"\n`)
    .join("");
}

/** A word of a command line: nothing in it ends it, names a variable, or is a specifier. */
export function quoted(word: string): string {
  const escaped = word
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("$", "$$$$")
    .replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `"${specifierFree(escaped)}"`;
}

/** Where systemd has to look for a program: it takes a whole path only. Null where it is in no folder of PATH. */
export function programPath(
  program: string,
  folder: string,
  path: string,
  exists: (file: string) => boolean,
): string | null {
  if (isAbsolute(program)) return program;
  if (program.includes("/")) return join(folder, program);
  const candidates = path.split(":").map((each) => join(each, program));
  return candidates.find((file) => isAbsolute(file) && exists(file)) ?? null;
}

function specifierFree(text: string): string {
  return text.replaceAll("%", "%%");
}

function sealed(text: string): string {
  return `${seal}${digestOf(text)}\n${text}`;
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
