/** How often we look whether npm, which started us, is still there: a killed npm tells nobody. */
const PARENT_POLL_MS = 200;

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** By the shell's custom: ended by an interrupt. */
export const EXIT_INTERRUPTED = 130;

/**
 * An abort signal for "stop now, in order": on a signal, however often it comes (Ctrl-C comes from the terminal and once
 * more from npm), and when whoever started us is gone. From here on nothing else ends this process early.
 */
export function watchForStop(): AbortSignal {
  const controller = new AbortController();
  const stop = () => controller.abort();
  for (const signal of stopSignals) process.on(signal, stop);
  const startedBy = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== startedBy) stop();
  }, PARENT_POLL_MS);
  watch.unref();
  return controller.signal;
}
