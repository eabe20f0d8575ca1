import { accessSync, constants } from "node:fs";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import type { Fleet } from "../fleet/fleet.ts";

const CHROMIUM = "/usr/bin/chromium";

/** From pressing something to the page showing what came of it, on a machine that does other things too. */
const PATIENCE_MS = 20_000;

/** Nothing of its own over the network, and no sandbox: containers don't give it one. */
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Whether there is a browser to test with. Where there is none that is said loudly, not passed over. */
export function hasBrowser(): boolean {
  try {
    accessSync(CHROMIUM, constants.X_OK);
    return true;
  } catch {
    process.stderr.write(`SKIPPED: no ${CHROMIUM}, so nobody looks at the page (apt-get install chromium)\n`);
    return false;
  }
}

/** A page in a fresh browser, for all tests of a file. In the end it must not have complained about anything. */
export function usePage(fleet: () => Fleet): () => Page {
  let context: BrowserContext;
  let page: Page;
  const complaints: string[] = [];
  beforeAll(async () => {
    context = await chromium.launchPersistentContext(fleet().yard.path("chromium"), {
      executablePath: CHROMIUM,
      headless: true,
      args: QUIET,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    page = context.pages()[0] ?? (await context.newPage());
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("console", (message) => {
      if (isComplaint(message.type(), message.text())) complaints.push(message.text());
    });
  });
  afterAll(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });
  return () => page;
}

/** A browser also says aloud that a connection was refused or lost: the tests do that on purpose. */
function isComplaint(type: string, text: string): boolean {
  return type === "error" && !/Failed to load resource|ERR_/.test(text);
}
