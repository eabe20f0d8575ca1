// The strict clients' own process, so that nothing the driver does delays them. Speaks by messages: see traffic.ts.

import { Crowd } from "./crowd.ts";
import { TrafficOrder } from "./messages.ts";
import { TrafficPlan } from "./plan.ts";

let crowd: Crowd | undefined;

process.on("disconnect", () => process.exit());
process.on("message", (message) => {
  if (crowd === undefined) {
    void run(new Crowd(TrafficPlan.parse(message)));
    return;
  }
  if (TrafficOrder.parse(message).order === "stop") crowd.stop();
  else report(crowd, false);
});

async function run(started: Crowd): Promise<void> {
  crowd = started;
  await started.run();
  report(started, true);
}

function report(of: Crowd, final: boolean): void {
  process.send?.({ final, counts: of.tally.read() });
}
