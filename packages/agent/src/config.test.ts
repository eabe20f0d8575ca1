import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readConfig, readToken } from "./config.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "siding-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const least = `hostId: h1
address: 127.0.1.1
roles: [host]
tokenFile: /etc/siding/h1.token
nats: { url: "nats://127.0.0.1:4222" }
controlPlane: { url: "http://127.0.0.1:8080" }
`;

function read(text: string) {
  const path = join(folder, "agent.yaml");
  writeFileSync(path, text);
  return readConfig(path);
}

const complaint = (text: string): string => {
  const result = read(text);
  return result.ok ? "" : result.error.message;
};

describe("an agent's config", () => {
  it("has defaults for what is not said", () => {
    expect(read(least)).toMatchObject({
      ok: true,
      value: {
        releasesDir: "/opt/siding",
        dataDir: "/var/lib/siding/agent",
        beatInterval: 10_000,
        edge: null,
      },
    });
    expect(read(least.replace("[host]", "[host, edge]"))).toMatchObject({
      value: { edge: { nginx: "nginx", includeDir: "/etc/siding/nginx", mode: "inner" } },
    });
  });

  it("knows how to find the user's nginx in mode include", () => {
    const edge = "edge: { mode: include, pidFile: /srv/nginx.pid, bleed: 2s }\n";
    expect(read(`${least.replace("[host]", "[edge]")}${edge}`)).toMatchObject({
      value: {
        edge: {
          mode: "include",
          userNginx: {
            pidFile: "/srv/nginx.pid",
            configFile: null,
            statusPort: 9_145,
            bleedMs: 2_000,
            reloadIntervalMs: 1_000,
          },
        },
      },
    });
  });

  it.each([
    ["an unknown key", `${least}datadir: /x\n`, 'Unrecognized key: "datadir"'],
    ["a bad host id", least.replace("h1\n", "H_1\n"), "hostId: a host id has"],
    ["a role twice", least.replace("[host]", "[host, host]"), "roles: each role once"],
    ["an edge without its role", `${least}edge: {}\n`, "edge: only with the role edge"],
    [
      "a mode of later",
      `${least.replace("[host]", "[edge]")}edge: { mode: site }\n`,
      "edge.mode: mode 'site' is not available in this release",
    ],
    [
      "what only mode include needs",
      `${least.replace("[host]", "[edge]")}edge: { pidFile: /run/nginx.pid }\n`,
      "edge.pidFile: only with mode: include",
    ],
    ["a weight that is none", `${least}labels: { weight: heavy }\n`, "labels.weight: a whole number"],
    ["a number without its unit", `${least}beatInterval: 10\n`, "beatInterval"],
    ["a relative path", `${least}dataDir: data\n`, "dataDir: an absolute path"],
    ["no YAML", "a: [", "agent.yaml"],
  ])("with %s is refused by name", (_, text, words) => {
    expect(complaint(text)).toContain(words);
  });

  it("that is not there is named", () => {
    const result = readConfig(join(folder, "nothing.yaml"));
    expect(result.ok ? "" : result.error.message).toContain("nothing.yaml");
  });
});

describe("a token", () => {
  it("is the one word of its file", () => {
    const path = join(folder, "token");
    writeFileSync(path, "a-long-secret\n");
    expect(readToken(path)).toEqual({ ok: true, value: "a-long-secret" });
    writeFileSync(path, "two words\n");
    expect(readToken(path).ok).toBe(false);
    expect(readToken(join(folder, "nothing")).ok).toBe(false);
  });
});
