import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

/** A file of the page, as it is served. */
export interface PageFile {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly mediaType: string;
}

const mediaTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Every file of the page by its name, `index.html` among them: read once, some 50 KB in all. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const folder = join(import.meta.dirname, "page");
  const files = readdirSync(folder).flatMap((name): [string, PageFile][] => {
    const mediaType = mediaTypes[extname(name)];
    const isTest = name.includes(".test.");
    return mediaType === undefined || isTest
      ? []
      : [[name, { bytes: readFileSync(join(folder, name)), mediaType }]];
  });
  return new Map(files);
}
