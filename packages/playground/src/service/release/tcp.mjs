// A service of whole TCP connections: answers each line with its version and the line. At SIGTERM it takes no new
// connection and ends those that are there, as programs without a protocol of their own do.

import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const version = readFileSync(new URL("VERSION", import.meta.url), "utf8").trim();
/** @type {Set<import("node:net").Socket>} */
const open = new Set();

const server = createServer((socket) => {
  open.add(socket);
  socket.on("close", () => open.delete(socket));
  socket.on("error", () => socket.destroy());
  createInterface({ input: socket }).on("line", (line) => socket.write(`${version} ${line}\n`));
});
server.listen(Number(process.env.PORT), process.env.ADDRESS);
process.on("SIGTERM", () => {
  server.close(() => process.exit());
  for (const socket of open) socket.end();
});
