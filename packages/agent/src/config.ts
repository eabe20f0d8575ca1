import { readFileSync } from "node:fs";
import { defaults } from "@siding/shared/defaults";
import { Address, HostId, Labels, Port, ServiceName, Weight, weightLabel } from "@siding/shared/ids";
import { Role } from "@siding/shared/report";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { Duration } from "@siding/shared/units";
import { parse as parseYaml } from "yaml";
import * as z from "zod";

const AbsolutePath = z.string().regex(/^\/\P{Cc}*$/u, "an absolute path");

const User = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, "a user's name");
const Unit = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.service$/,
    "a template unit such as web@.service, or a unit to be adopted such as shop.service",
  );

/** What services may ask of this host; nobody but its admin says so. */
const Allow = z.strictObject({
  /** Absent: any service that the control plane gives this host. */
  services: z.array(ServiceName).optional(),
  units: z.array(Unit).default([]),
  users: z.array(User).default([]),
});

const EdgeMode = z
  .enum(["inner", "include", "site"])
  .refine((mode) => mode !== "site", "mode 'site' is not available in this release of Siding");

/** What only mode `include` needs to know of the user's nginx. */
const ofUserNginx = {
  pidFile: AbsolutePath.optional(),
  config: AbsolutePath.optional(),
  statusPort: Port.optional(),
  bleed: Duration.optional(),
  reloadInterval: Duration.optional(),
};

const EdgeConfig = z
  .strictObject({
    nginx: z.string().min(1).default("nginx"),
    includeDir: AbsolutePath.default("/etc/siding/nginx"),
    runDir: AbsolutePath.default("/run/siding/edge"),
    mode: EdgeMode.default("inner"),
    ...ofUserNginx,
  })
  .superRefine((edge, context) => {
    if (edge.mode === "include") return;
    for (const key of Object.keys(ofUserNginx)) {
      if (edge[key as keyof typeof ofUserNginx] === undefined) continue;
      context.addIssue({ code: "custom", path: [key], message: "only with mode: include" });
    }
  })
  .transform(({ pidFile, config, statusPort, bleed, reloadInterval, ...edge }) => ({
    ...edge,
    userNginx: {
      pidFile: pidFile ?? "/run/nginx.pid",
      configFile: config ?? null,
      statusPort: statusPort ?? 9_145,
      bleedMs: bleed ?? null,
      reloadIntervalMs: reloadInterval ?? 1_000,
    },
  }));

const FileShape = z.strictObject({
  hostId: HostId,
  /** Where this host's services listen, and where edges reach them. */
  address: Address,
  labels: Labels.default({}),
  roles: z.array(Role).min(1, "host, edge or both"),
  /** The secret that this host has for NATS and for the control plane's artifacts. */
  tokenFile: AbsolutePath,
  nats: z.strictObject({ url: z.string().regex(/^(nats|tls):\/\/\S+$/, "nats://HOST:PORT") }),
  controlPlane: z.strictObject({ url: z.url({ protocol: /^https?$/, error: "http://HOST:PORT" }) }),
  dataDir: AbsolutePath.default("/var/lib/siding/agent"),
  releasesDir: AbsolutePath.default("/opt/siding"),
  edge: EdgeConfig.optional(),
  /** How services are run: as units of systemd, or as children. Unless said: units where the agent itself is one. */
  driver: z.enum(["child", "systemd"]).optional(),
  /** The user of services that name none. Absent: the agent's own. */
  runAs: User.optional(),
  allow: Allow.prefault({}),
  beatInterval: Duration.default(defaults.beatIntervalMs).refine((ms) => ms >= 100, "at least 100ms"),
});

const AgentConfig = FileShape.superRefine(({ roles, labels, edge }, context) => {
  if (new Set(roles).size < roles.length) {
    context.addIssue({ code: "custom", path: ["roles"], message: "each role once" });
  }
  const weight = labels[weightLabel];
  if (weight !== undefined && !Weight.safeParse(weight).success) {
    const message = "a whole number from 1 to 100: the host's share where balancing is weighted";
    context.addIssue({ code: "custom", path: ["labels", weightLabel], message });
  }
  if (edge !== undefined && !roles.includes("edge")) {
    context.addIssue({ code: "custom", path: ["edge"], message: "only with the role edge" });
  }
}).transform(({ edge, ...config }) => ({
  ...config,
  edge: config.roles.includes("edge") ? (edge ?? EdgeConfig.parse({})) : null,
}));
export type AgentConfig = Omit<z.infer<typeof AgentConfig>, "driver"> & {
  readonly driver: "child" | "systemd";
};

/** Reads the agent's config. Errors: `config-unreadable`, `config-invalid`; the message names the file and the keys. */
export function readConfig(path: string, env: NodeJS.ProcessEnv = process.env): Result<AgentConfig, Failure> {
  let raw: unknown;
  try {
    raw = parseYaml(readFileSync(path, "utf8"));
  } catch (cause) {
    return err(failure("config-unreadable", `${path}: ${messageOf(cause)}`, cause));
  }
  const parsed = AgentConfig.safeParse(raw);
  if (parsed.success) {
    const driver = parsed.data.driver ?? (isUnit(env) ? "systemd" : "child");
    return ok({ ...parsed.data, driver });
  }
  const complaints = parsed.error.issues.map(
    (issue) => `  ${issue.path.join(".") || "file"}: ${issue.message}`,
  );
  return err(failure("config-invalid", `${path} is no valid agent config:\n${complaints.join("\n")}`));
}

/** Whether systemd has started this very process; what it starts inherits the variable, and has another pid. */
function isUnit({ SYSTEMD_EXEC_PID }: NodeJS.ProcessEnv): boolean {
  return SYSTEMD_EXEC_PID === String(process.pid);
}

/** Reads the host's secret. Errors: `token-unreadable`. */
export function readToken(path: string): Result<string, Failure> {
  try {
    const token = readFileSync(path, "utf8").trim();
    if (/^\S{8,}$/.test(token)) return ok(token);
    return err(
      failure("token-unreadable", `tokenFile ${path}: a token is one word of at least 8 characters`),
    );
  } catch (cause) {
    return err(failure("token-unreadable", `tokenFile ${path}: ${messageOf(cause)}`, cause));
  }
}
