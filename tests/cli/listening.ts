/**
 * A command that listens, in this process: `sse serve`, `sse replay`.
 *
 * @module
 */

import { type CliOptions, type CliResult, type RunningCli, startCli } from "./helpers.ts";

/** One that runs. It is stopped with the block that holds it. */
export interface ListeningCli extends AsyncDisposable {
  /** Where it listens, with a slash at the end. */
  readonly url: string;
  readonly running: RunningCli;
  /** Stops it, as Ctrl-C does, and tells how it ended. */
  stop(): Promise<CliResult>;
}

/** Starts a command line, and waits until it listens. */
export async function listenCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<ListeningCli> {
  const running = startCli(args, options);
  const [, url] = /Listening at (\S+)\n/.exec(await running.printed(/Listening at \S+\n/)) ?? [];
  const stop = () => {
    running.interrupt();
    return running.result;
  };
  return {
    url,
    running,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}
