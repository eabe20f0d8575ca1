import { join } from "node:path";
import type { Plugin } from "esbuild";

/**
 * Parts of Node that cost megabytes as soon as they are imported, whoever needs them: node:http brings Node's own fetch
 * along, as it exports its WebSocket; node:tls is imported by what connects to NATS, and used where that is tls://.
 */
const costly = /^(?:node:)?(https?|tls)$/;

/**
 * What does not need the module, by module. Each connection to NATS is asked whether it is a TLS socket; before the
 * module is loaded nothing is one.
 */
const standIns: Readonly<Record<string, string>> = {
  tls: "TLSSocket: class { static [Symbol.hasInstance]() { return false; } }",
};

/**
 * A module that is loaded when something of it is used. What imports it looks its names up in the prototype, which is
 * where esbuild leaves what it could not know of a CommonJS module.
 */
const lazily = (name: string) => `let loaded;
const standIns = { __proto__: null, ${standIns[name] ?? ""} };
const lookUp = (_, key) =>
  (loaded === undefined && standIns[key]) || (loaded ??= process.getBuiltinModule("node:${name}"))[key];
module.exports = Object.create(new Proxy({}, { get: lookUp }));
`;

export const lazyBuiltins: Plugin = {
  name: "lazy-builtins",
  setup(bundling) {
    bundling.onResolve({ filter: costly }, ({ path }) => ({
      path: path.replace(costly, "$1"),
      namespace: "lazy-builtin",
    }));
    bundling.onLoad({ filter: /./, namespace: "lazy-builtin" }, ({ path }) => ({
      contents: lazily(path),
      loader: "js",
    }));
  },
};

/** Zod brings its messages in forty languages; people read ours in English. */
export const englishOnly: Plugin = {
  name: "english-only",
  setup(bundling) {
    bundling.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: `export { default as en } from ${JSON.stringify(join(path, "../en.js"))};`,
      loader: "js",
    }));
  },
};
