import { createServer } from "node:net";

// Accepts every connection and says nothing.
createServer(() => {}).listen(Number(process.env.PORT), process.env.ADDRESS);
