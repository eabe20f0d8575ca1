import type { Member, UpstreamContent } from "@siding/shared/command";
import type { UpstreamName } from "@siding/shared/ids";
import { expect, test } from "vitest";
import { parseFeatures } from "./binary.ts";
import { EdgeLayout } from "./layout.ts";
import { type MainSettings, renderInclude, renderMain, renderUpstream } from "./render.ts";
import { value, web } from "./testing/rig.ts";

const layout = value(
  EdgeLayout.of({ includeDir: "/etc/siding/nginx", runDir: "/run/siding", dataDir: "/var/lib/siding" }),
);
const folder = layout.inner(7);
const debian: MainSettings = {
  layout,
  features: {
    version: "1.22.1",
    supported: true,
    passTrailers: false,
    keepsConnections: true,
    keepaliveMinTimeout: false,
    leastTime: false,
    halfClose: true,
    streamModule: "/usr/local/nginx/modules/ngx_stream_module.so",
    tempPaths: ["fastcgi", "uwsgi", "scgi"],
  },
  stream: { kind: "absent", why: "not installed" },
  limits: { openFiles: 20_000, backlog: 4_096 },
  workerUser: "www-data",
};
const member = {
  hostId: "h1",
  slot: "blue",
  targetId: "v1@0123456789ab.1",
  address: "10.0.0.1",
  port: 8080,
} as const;
const two = web([member, { ...member, hostId: "h2", address: "fd00::2", port: 8081 }] as never);

const golden = (name: string) => `golden/${name}.conf`;

test("the inner nginx's own config", async () => {
  await expect(renderMain(debian, folder)).toMatchFileSnapshot(golden("nginx"));
});

test("an upstream with members", async () => {
  await expect(renderUpstream(debian, folder, two, 3)).toMatchFileSnapshot(golden("upstream"));
});

test("an upstream by least connections", async () => {
  const text = renderUpstream(debian, folder, { ...two, balance: "least-conn" }, 3);
  await expect(text).toMatchFileSnapshot(golden("upstream-least-conn"));
});

test.each([
  ["weighted", "    server 10.0.0.1:8080 weight=3 max_fails=0;\n    server [fd00::2]:8081 max_fails=0;"],
  ["ip-hash", "    hash $siding_client consistent;"],
  ["least-time", "    least_time header;"],
] as const)("an upstream by %s", (balance, directive) => {
  const [first, second] = two.members as [Member, Member];
  const members = [{ ...first, weight: 3 }, second];
  expect(renderUpstream(debian, folder, { ...two, members, balance }, 3)).toContain(directive);
});

test("a weight counts only where it was asked for", () => {
  const members = two.members.map((each) => ({ ...each, weight: 3 }));
  expect(renderUpstream(debian, folder, { ...two, members }, 3)).toBe(renderUpstream(debian, folder, two, 3));
});

test("an upstream without members", async () => {
  await expect(renderUpstream(debian, folder, web([]), 3)).toMatchFileSnapshot(golden("upstream-empty"));
});

const tcp = { ...two, upstream: "db", protocol: "tcp", balance: "least-conn" } as UpstreamContent;
const withStream: MainSettings = { ...debian, stream: { kind: "module", path: "/m/ngx_stream_module.so" } };

test("TCP: what the inner nginx has besides, an upstream, and one without members", async () => {
  const main = renderMain(withStream, folder);
  expect(main).toMatch(/^load_module \/m\/ngx_stream_module\.so;$/m);
  await expect(main.slice(main.indexOf("\nstream {"))).toMatchFileSnapshot(golden("stream"));
  await expect(renderUpstream(withStream, folder, tcp, 3)).toMatchFileSnapshot(golden("upstream-tcp"));
  const empty = renderUpstream(withStream, folder, { ...tcp, members: [] }, 3);
  await expect(empty).toMatchFileSnapshot(golden("upstream-tcp-empty"));
  const builtIn = renderMain({ ...debian, stream: { kind: "built-in" } }, folder);
  expect(builtIn).not.toContain("load_module");
  expect(builtIn).toContain("\nstream {");
});

test("what the user's nginx includes", async () => {
  await expect(renderInclude(layout, two)).toMatchFileSnapshot(golden("include"));
});

test("a revision that only watches another instance has the same text", () => {
  const watching = { ...two, watch: [{ ...member, attempt: 9 }] as never };
  expect(renderUpstream(debian, folder, watching, 3)).toBe(renderUpstream(debian, folder, two, 3));
});

test("what a build can't do is left out, and what it can is used", () => {
  const features = {
    version: "1.14.0",
    supported: false,
    passTrailers: true,
    keepsConnections: false,
    keepaliveMinTimeout: false,
    leastTime: false,
    halfClose: false,
    streamModule: null,
    tempPaths: [],
  };
  const text = renderMain({ ...debian, features, workerUser: null }, folder);
  expect(text).toContain("proxy_pass_trailers on;");
  expect(text).not.toContain("uwsgi_temp_path");
  expect(text).not.toMatch(/^user /m);
  expect(renderUpstream({ ...debian, features }, folder, two, 3)).not.toContain("keepalive");
});

test("text that could end a directive is a bug, not a config", () => {
  const rendered = (address: string) => () =>
    renderUpstream(debian, folder, web([{ ...member, address }] as never), 1);
  // As a caller without types could.
  expect(() =>
    renderUpstream(debian, folder, { ...two, members: [{ ...member, address: "a; }" }] as never }, 1),
  ).toThrow();
  expect(rendered("fe80::1%eth0")).toThrow();
  expect(() => renderMain({ ...debian, workerUser: "root; load_module x" }, folder)).toThrow();
});

test("reads what a build says of itself", () => {
  const said = (version: string, more = "") => `nginx version: ${version}\nconfigure arguments: ${more}\n`;
  expect(parseFeatures(said("nginx/1.22.1"))).toEqual(debian.features);
  expect(parseFeatures(said("nginx/1.31.5", "--without-http_scgi_module"))).toEqual({
    version: "1.31.5",
    supported: true,
    passTrailers: true,
    keepsConnections: true,
    keepaliveMinTimeout: true,
    leastTime: true,
    halfClose: true,
    streamModule: "/usr/local/nginx/modules/ngx_stream_module.so",
    tempPaths: ["fastcgi", "uwsgi"],
  });
  const streamModule = (options: string) => parseFeatures(said("nginx/1.22.1", options))?.streamModule;
  expect(streamModule("--with-threads --with-stream --with-x")).toBeNull();
  const asDebian = "--prefix=/usr/share/nginx --modules-path=/usr/lib/nginx/modules --with-stream=dynamic";
  expect(streamModule(asDebian)).toBe("/usr/lib/nginx/modules/ngx_stream_module.so");
  expect(streamModule("--prefix=/opt/nginx --with-stream_ssl_module")).toBe(
    "/opt/nginx/modules/ngx_stream_module.so",
  );
  expect(parseFeatures(said("openresty/1.13.6.2"))).toMatchObject({
    version: "1.13.6",
    keepsConnections: false,
  });
  expect(parseFeatures("ls (GNU coreutils) 9.1")).toBeNull();
});

test("folders that nginx or a socket can't take are refused", () => {
  const folders = { includeDir: "/etc/siding", runDir: "/run/siding", dataDir: "/var/lib/siding" };
  for (const path of ["relative", "/with space", "/a;b", "/a*", '/a"', "/a$b", "/a\nb"]) {
    const refused = EdgeLayout.of({ ...folders, dataDir: path });
    expect(refused).toMatchObject({ ok: false, error: { code: "edge-path-refused" } });
  }
  const deep = value(EdgeLayout.of({ ...folders, runDir: `/${"d".repeat(85)}` }));
  expect(deep.fits({ upstream: "w" as UpstreamName })).toMatchObject({ ok: true });
  const refused = deep.fits({ upstream: "a-name-too-long" as UpstreamName });
  expect(refused).toMatchObject({ ok: false, error: { code: "edge-path-refused" } });
});
