import { problemCodes, statusOf, titleOf } from "./problem.ts";

/** The part of an OpenAPI document that the page shows. */
interface Described {
  readonly paths?: Readonly<Record<string, object>>;
}

const style =
  "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}" +
  "td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}code{font-family:ui-monospace,monospace}";

export function docsPage({ paths = {} }: Described): string {
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, { summary?: string }>).map(
      ([method, { summary }]) =>
        `<tr><td><code>${method.toUpperCase()} ${escaped(path)}</code></td><td>${escaped(summary ?? "")}</td></tr>`,
    ),
  );
  const problems = problemCodes.map(
    (code) =>
      `<tr id="problem-${code}"><td><code>${code}</code></td><td>${statusOf(code)}</td><td>${escaped(titleOf(code))}</td></tr>`,
  );
  return html(
    "Siding: API",
    `<h1>API</h1><p>Schemas are in <a href="/openapi.json">openapi.json</a>.</p><table>${calls.join("")}</table>` +
      "<h2>Problems</h2><p>Errors are problem documents (RFC 9457). Their <code>code</code> is stable.</p>" +
      `<table><tr><th>code</th><th>status</th><th></th></tr>${problems.join("")}</table>`,
  );
}

function html(title: string, body: string): string {
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>` +
    `<style>${style}</style></head><body>${body}</body></html>`
  );
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
