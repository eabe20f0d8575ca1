/** Every event that the agent logs; whoever watches the log can rely on these names. */
type LogEvent =
  | "drafts-not-cleared"
  | "agent-started"
  | "agent-stopping"
  | "connected"
  | "disconnected"
  | "message-unreadable"
  | "command-accepted"
  | "command-refused"
  | "command-ended"
  | "process-started"
  | "process-ended"
  | "hook-ended"
  | "hook-failed"
  | "upstream-served"
  | "upstream-ejected"
  | "upstream-panic"
  | "upstream-refused"
  | "upstream-trouble"
  | "edge-warning"
  | "edge-cold"
  | "edge-unheard"
  | "edge-down"
  | "edge-failed"
  | "effect-failed"
  | "inventory-failed"
  | "journal-not-written";

type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  info(event: LogEvent, fields: LogFields): void;
  warn(event: LogEvent, fields: LogFields): void;
  error(event: LogEvent, fields: LogFields): void;
}
