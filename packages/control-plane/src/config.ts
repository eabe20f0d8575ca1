import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { HostId } from "@siding/shared/ids";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { parse } from "yaml";
import { z } from "zod";
import { readIfThere } from "./data-dir/durable-file.ts";

/** `127.0.0.1:8600`, `[::1]:8600`; port 0: chosen free at the first start, then kept. */
const Listen = z.string().transform((text, context) => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? "", port };
  context.addIssue({ code: "custom", message: `'${text}' is no ADDRESS:PORT such as 127.0.0.1:8600` });
  return z.NEVER;
});

/** Sizes as a person writes them; powers of two. */
const factorBytes = { B: 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3 } as const;
const Size = z.string().transform((text, context): number => {
  const match = /^(\d{1,9})(B|KiB|MiB|GiB)$/.exec(text);
  if (match) return Number(match[1]) * factorBytes[match[2] as keyof typeof factorBytes];
  context.addIssue({ code: "custom", message: `'${text}' is no size; write 512MiB or 2GiB` });
  return z.NEVER;
});

const ManagedNats = z.strictObject({
  binary: z.string().min(1).default("nats-server"),
  listen: Listen.prefault("127.0.0.1:0"),
});
const OutsideNats = z.strictObject({
  url: z.string().regex(/^(nats|tls):\/\/\S+$/, "a url such as nats://10.0.0.5:4222"),
  user: z.string().min(1),
  passwordFile: z.string().min(1),
});

const ConfigFile = z.strictObject({
  dataDir: z.string().min(1),
  http: z.strictObject({ listen: Listen.prefault("127.0.0.1:0") }).prefault({}),
  nats: z
    .union([z.literal("managed"), z.strictObject({ managed: ManagedNats }), OutsideNats])
    .default("managed"),
  hosts: z.array(z.strictObject({ id: HostId, tokenFile: z.string().min(1) })).default([]),
  limits: z
    .strictObject({
      /** An artifact above this is refused while it arrives. */
      artifact: Size.prefault("2GiB"),
      /** Open connections to the HTTP API; each costs a file descriptor. */
      httpConnections: z.int().min(10).max(100_000).default(4_096),
    })
    .prefault({}),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A host that may connect, and the secret with which it proves who it is: to NATS and to HTTP. */
interface DeclaredHost {
  readonly id: HostId;
  readonly token: string;
}

type NatsConfig =
  | { readonly kind: "managed"; readonly binary: string; readonly listen: ListenAddress }
  | { readonly kind: "outside"; readonly url: string; readonly user: string; readonly password: string };

export interface Config {
  readonly dataDir: string;
  readonly httpListen: ListenAddress;
  readonly nats: NatsConfig;
  readonly hosts: readonly DeclaredHost[];
  readonly limits: { readonly artifactBytes: number; readonly httpConnections: number };
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

/** What RFC 6750 lets a bearer token be; it also needs no escaping in nats-server's config. */
const Token = z
  .string()
  .regex(
    /^[A-Za-z0-9._~+/-]{16,512}=*$/,
    "a token has 16 to 512 letters, digits and . _ ~ + / -, then any =",
  );

/**
 * Reads the config file and the token files that it names; relative paths start at the config's own folder.
 * `SIDING_LOG_LEVEL` overrides `logLevel`. Errors: `config-unreadable`, `config-invalid` (each key by name).
 */
export function loadConfig(file: string, env: NodeJS.ProcessEnv = process.env): Result<Config> {
  const written = readYaml(file);
  if (!written.ok) return written;
  const level = env.SIDING_LOG_LEVEL;
  const parsed = ConfigFile.safeParse(
    level === undefined ? written.value : { ...(written.value as object), logLevel: level },
  );
  if (!parsed.success) return err(failure("config-invalid", `${file}: ${issuesText(parsed.error)}`));
  const at = (path: string) => resolve(dirname(file), path);
  const hosts = readHosts(parsed.data.hosts, at);
  if (!hosts.ok) return hosts;
  const nats = readNats(parsed.data.nats, at);
  if (!nats.ok) return nats;
  return ok({
    dataDir: at(parsed.data.dataDir),
    httpListen: parsed.data.http.listen,
    nats: nats.value,
    hosts: hosts.value,
    limits: {
      artifactBytes: parsed.data.limits.artifact,
      httpConnections: parsed.data.limits.httpConnections,
    },
    logLevel: parsed.data.logLevel,
  });
}

function readYaml(file: string): Result<unknown> {
  try {
    return ok(parse(readFileSync(file, "utf8")));
  } catch (cause) {
    return err(failure("config-unreadable", `${file}: ${messageOf(cause)}`, cause));
  }
}

function readHosts(
  hosts: z.output<typeof ConfigFile>["hosts"],
  at: (path: string) => string,
): Result<readonly DeclaredHost[]> {
  const declared: DeclaredHost[] = [];
  for (const { id, tokenFile } of hosts) {
    const token = readSecret(at(tokenFile), Token);
    if (!token.ok) return token;
    const other = declared.find((host) => host.id === id || host.token === token.value);
    if (other?.id === id) return err(failure("config-invalid", `hosts: '${id}' is declared twice`));
    if (other) return err(failure("config-invalid", `hosts: '${other.id}' and '${id}' have the same token`));
    declared.push({ id, token: token.value });
  }
  return ok(declared);
}

function readNats(
  nats: z.output<typeof ConfigFile>["nats"],
  at: (path: string) => string,
): Result<NatsConfig> {
  if (nats === "managed") return ok({ kind: "managed", ...ManagedNats.parse({}) });
  if ("managed" in nats) return ok({ kind: "managed", ...nats.managed });
  const password = readSecret(at(nats.passwordFile), z.string().min(1));
  if (!password.ok) return password;
  return ok({ kind: "outside", url: nats.url, user: nats.user, password: password.value });
}

function readSecret(file: string, schema: z.ZodType<string>): Result<string> {
  const text = readIfThere(file);
  if (text === null) return err(failure("config-invalid", `${file}: there is no such file`));
  const parsed = schema.safeParse(text.trim());
  if (parsed.success) return ok(parsed.data);
  return err(failure("config-invalid", `${file}: ${parsed.error.issues[0]?.message}`));
}

function issuesText(error: z.ZodError): string {
  return error.issues
    .map((issue) => {
      const path = issue.path.join(".");
      if (issue.code !== "unrecognized_keys") return `${path || "config"}: ${issue.message}`;
      return issue.keys.map((key) => `${[...issue.path, key].join(".")}: unknown key`).join("; ");
    })
    .join("; ");
}
