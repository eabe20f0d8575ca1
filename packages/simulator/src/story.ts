import type { EventBody } from "@siding/control-plane/ledger/event";
import type { Command } from "@siding/shared/command";
import type { InstanceReport, Report, UpstreamReport } from "@siding/shared/report";

/** An event of the log in one line. */
export function storyOfEvent(body: EventBody): string {
  const { type } = body;
  switch (body.type) {
    case "host-reported":
      return `${type} ${body.hostId} ${storyOfState(body)}${body.voided.length > 0 ? " voided" : ""}`;
    case "command-issued":
      return `${type} ${body.hostId} ${body.body.kind} ${body.body.target.id}`;
    case "upstream-revised": {
      const { members, watch } = body.content;
      const listed = members.map(({ hostId, targetId }) => `${hostId}=${targetId}`).join(" ");
      const watched = watch.map(({ hostId, attempt }) => `${hostId}#${attempt}`).join(" ");
      return `${type} [${listed}] watch [${watched}]`;
    }
    case "rollout-created":
      return `${type} ${body.rollout.id} to ${body.rollout.to.id} ${planStory(body.rollout.plan)} ${JSON.stringify({ status: body.rollout.status, strategy: body.rollout.strategy, onFailure: body.rollout.onFailure, maxFailures: body.rollout.maxFailures })}`;
    case "rollout-planned":
      return `${type} ${planStory(body.plan)} keep [${body.keep.join(" ")}]`;
    case "status-changed":
      return `${type} ${body.status} ${body.waiting.map(({ code, hostId }) => `${code}/${hostId ?? ""}`).join(" ")}`;
    case "host-failed":
      return `${type} ${body.hostId} in ${body.phase}: ${body.failure.message} (${body.counts ? "counts" : "does not count"}), back ${body.back?.id ?? "nowhere"}`;
    case "host-settled":
      return `${type} ${body.hostId} on ${body.on?.id ?? "nothing"}`;
    case "artifact-registered":
    case "batch-finished":
    case "batch-started":
    case "command-refused":
    case "rollout-started":
    case "host-held":
    case "host-released":
    case "edge-excluded":
    case "edge-included":
    case "control-plane-started":
    case "fleet-ahead":
    case "fleet-resumed":
    case "instance-observed":
    case "upstream-observed":
    case "intent-set":
    case "phase-changed":
    case "release-registered":
    case "rollout-finished":
    case "rollout-promoted":
    case "rollout-hook-started":
    case "rollout-hook-ended":
    case "service-declared":
      return JSON.stringify(body);
  }
}

function planStory(plan: Extract<EventBody, { type: "rollout-planned" }>["plan"]): string {
  const batches = plan.batches.map((batch) => batch.join(" ")).join(" | ");
  const goals = plan.hosts.map(({ hostId, goal }) => `${hostId}>${goal?.id ?? "-"}`).join(" ");
  return `${plan.kind} [${batches}] ${goals} absent [${plan.absent.join(" ")}]`;
}

/** A report in one line. */
export function storyOfReport(report: Report): string {
  const who = `${report.hostId} (${report.incarnation} ${report.sequence})`;
  if (report.kind === "refused")
    return `${who} refuses ${report.commandId}: ${report.code} ${report.message}`;
  return `${who} says ${report.full ? "in full " : ""}${storyOfState(report)}`;
}

function storyOfState(said: {
  readonly instances: readonly InstanceReport[];
  readonly upstreams: readonly UpstreamReport[];
}): string {
  return [...said.instances.map(instanceStory), ...said.upstreams.map(upstreamStory)].join("; ");
}

function instanceStory({ command, running, health, staged, trouble }: InstanceReport): string {
  const failure = command?.failure ? ` (${command.failure.message})` : "";
  const progress = command
    ? `${command.commandId} ${command.kind} ${command.status}${failure}`
    : "no command";
  return `${progress}, runs ${running ?? "nothing"} ${health}${trouble ? ` (${trouble.message})` : ""}, staged ${staged.length}`;
}

function upstreamStory({ revision, serving, refused, probes }: UpstreamReport): string {
  const seen = probes.map(({ hostId, attempt, state }) => `${hostId}#${attempt} ${state}`).join(" ");
  return `accepted ${revision} serves ${serving?.revision ?? "nothing"} refuses ${refused ? `${refused.revision} (${refused.message})` : "nothing"} probes [${seen}]`;
}

/** A command in one line. */
export function storyOfCommand(command: Command): string {
  const what = command.kind === "apply-revision" || command.kind === "sync" ? "" : ` ${command.target.id}`;
  return `${command.hostId}: ${command.commandId} ${command.kind}${what} (epoch ${command.epoch}, for ${command.incarnation})`;
}
