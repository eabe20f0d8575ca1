import type { Scene } from "./scene.ts";
import { transcript } from "./transcript.ts";

/** What an agent says of a release that starts and does not get healthy. */
export const broken = { code: "health-grace", message: "GET /healthz answered 500" };

/** Asks for a rollout that must be taken. */
export function admit(stage: Scene, body: Parameters<Scene["admit"]>[0]): void {
  const admitted = stage.admit(body);
  if (!admitted.ok) throw new Error(admitted.error.message);
}

/** Runs the rest of a rollout and returns what the core decided from here on. */
export function play(stage: Scene, act: () => void): string {
  const from = stage.log.length;
  act();
  stage.settle();
  return transcript(stage.log.slice(from));
}

/** Decides and answers until the log has a line that starts like this. */
export function until(stage: Scene, line: string): void {
  for (let round = 0; round < 200; round += 1) {
    stage.decide();
    if (transcript(stage.log.slice(-12)).includes(line)) return;
    stage.answer();
  }
  throw new Error(`never came: ${line}`);
}
