// Ends everything in a folder when the process that owns it was killed and could not. Its only argument is the folder.

import { removeFolder, sweep } from "./yard.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined || process.send === undefined) throw new Error("the warden is started by a yard");

// The channel closes with its owner, whatever ended that.
process.once("disconnect", () => void clearAway(folder));
process.on("message", () => {});

async function clearAway(left: string): Promise<void> {
  await sweep(left, []);
  removeFolder(left);
  process.exit();
}
