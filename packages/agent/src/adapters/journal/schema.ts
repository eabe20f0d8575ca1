import { InstanceCommandBody, UpstreamContent } from "@siding/shared/command";
import { HookName } from "@siding/shared/hooks";
import {
  CommandId,
  ControlPlaneId,
  Digest,
  Epoch,
  Revision,
  ServiceName,
  Slot,
  TargetId,
  UpstreamName,
} from "@siding/shared/ids";
import { StepFailure, Timings } from "@siding/shared/report";
import { Release, Target } from "@siding/shared/target";
import * as z from "zod";
import { type Journal, journalVersion } from "../../machine/journal.ts";

const startId = z.int().min(0);

const Outcome = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("running") }),
  z.object({ kind: z.literal("done") }),
  z.object({ kind: z.literal("failed"), failure: StepFailure }),
]);

const HookRun = z.object({
  hook: HookName,
  attempt: z.int().min(1),
  begunAtMs: z.number(),
  done: z.boolean(),
});

/** Before there were hooks, a command's work began with it. */
const AcceptedCommand = z
  .object({
    commandId: CommandId,
    revision: Revision,
    body: InstanceCommandBody,
    deadlineMs: z.int().min(0),
    acceptedAtMs: z.number(),
    recounted: z.boolean(),
    begunAtMs: z.number().nullable().optional(),
    hooks: z.array(HookRun).default([]),
    outcome: Outcome,
    timings: Timings,
  })
  .transform(({ begunAtMs, ...command }) => ({
    ...command,
    begunAtMs: begunAtMs === undefined ? command.acceptedAtMs : begunAtMs,
  }));

const InstanceJournal = z.object({
  service: ServiceName,
  slot: Slot,
  command: AcceptedCommand.nullable(),
  wanted: z.object({ target: Target, proven: z.boolean(), startId: startId.nullable() }).nullable(),
  starts: startId,
  started: z.object({ startId, target: Target, process: z.string().nullable() }).nullable(),
  restarted: z.string().nullable().default(null),
  served: z.array(Release).default([]),
  staged: z.array(z.object({ targetId: TargetId, release: Release })),
  shots: z.array(z.object({ shot: z.string(), outcome: Outcome })).default([]),
});

const UpstreamJournal = z.object({
  upstream: UpstreamName,
  commandId: CommandId,
  revision: Revision,
  digest: Digest,
  content: UpstreamContent,
});

/** The journal as it is on disk. Its type is the machine's, which may not depend on a schema library. */
export const JournalSchema: z.ZodType<Journal> = z.object({
  v: z.literal(journalVersion),
  bootId: z.string(),
  controlPlane: z.object({ epoch: Epoch, controlPlaneId: ControlPlaneId }).nullable(),
  instances: z.array(InstanceJournal),
  upstreams: z.array(UpstreamJournal),
});
