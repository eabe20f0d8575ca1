import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { lazyBuiltins } from "./lean.ts";

const REQUIRE = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

const folder = mkdtempSync(join(tmpdir(), "siding-lean-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the bundled program prints; `loaded(name)` says whether Node has loaded its module of that name. */
async function run(program: string): Promise<string> {
  const loaded = `const loaded = (name) => process.moduleLoadList.includes("NativeModule " + name);`;
  const outfile = join(folder, "program.mjs");
  await build({
    stdin: { contents: `${loaded}\n${program}`, loader: "js" },
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    banner: { js: REQUIRE },
    plugins: [lazyBuiltins],
  });
  return execFileSync(process.execPath, [outfile], { encoding: "utf8" });
}

// As what connects to NATS asks for it.
const tls = `const tls = require("node:tls");`;

test("whether a socket is one of TLS is known without the module that makes those", async () => {
  expect(await run(`${tls} console.log({} instanceof tls.TLSSocket, loaded("tls"));`)).toBe("false false\n");
});

test("once TLS is used, its sockets are told apart", async () => {
  const used = `${tls}
const { Socket } = require("node:net");
tls.createSecureContext();
console.log(new tls.TLSSocket(new Socket()) instanceof tls.TLSSocket, new Socket() instanceof tls.TLSSocket);`;
  expect(await run(used)).toBe("true false\n");
});
