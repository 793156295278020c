/**
 * A stream that a command writes to: it waits for a slow reader, and a reader that has gone is no
 * error.
 *
 * @module
 */

import { styleText } from "node:util";

/** What is used of `process.stdout` and `process.stderr`. */
export interface OutputStream {
  /** Whether it is a terminal. */
  readonly isTTY?: boolean;
  /** How wide the terminal is. */
  readonly columns?: number;
  /** Writes, and tells by the callback when it is taken. */
  write(chunk: string | Uint8Array, callback: (error?: Error | null) => void): boolean;
  /** Listens to failures. */
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** How text can look. */
export type Style = "bold" | "cyan" | "dim" | "green" | "red" | "yellow";

/** What {@linkcode Output} can be told. */
export interface OutputOptions {
  /** The environment: `NO_COLOR` and `FORCE_COLOR` decide on colours. Default: empty. */
  env?: Readonly<Record<string, string | undefined>>;
  /**
   * Called once when nothing more can be written. Default: nobody is told.
   *
   * @param failure What has failed, a full disk for example; none if only the reader has gone.
   */
  onClosed?(failure?: Error): void;
}

/** Writes text and bytes, coloured on a terminal. */
export class Output {
  /** Whether it is a terminal, on which a line may be written over. */
  readonly isTerminal: boolean;
  /** Whether colours are wanted. */
  readonly colored: boolean;
  readonly #stream: OutputStream;
  readonly #onClosed: OutputOptions["onClosed"];
  #closed = false;
  /** The last write, which settles after all before it. */
  #last: Promise<void> = Promise.resolve();

  /** Writes to a stream. */
  constructor(stream: OutputStream, { env = {}, onClosed }: OutputOptions = {}) {
    this.#stream = stream;
    this.#onClosed = onClosed;
    this.isTerminal = stream.isTTY === true;
    this.colored = wantsColors(env, this.isTerminal);
    stream.on("error", (error) => this.#close(error));
  }

  /** How many columns a line has; 80 where there is no terminal. */
  get columns(): number {
    return this.#stream.columns || 80;
  }

  /** Writes, and waits until it is taken. Once nothing more can be written it does nothing. */
  write(chunk: string | Uint8Array): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return this.#last = new Promise<void>((resolve) => {
      const done = (error?: Error | null) => {
        if (error) this.#close(error);
        resolve();
      };
      try {
        this.#stream.write(chunk, done);
      } catch (error) {
        // As a file of Deno says it.
        done(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Waits until all is taken that was written, by whomever. */
  flush(): Promise<void> {
    return this.#last;
  }

  /** Writes a line. */
  line(text: string): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** The text in this style, or plain where there are no colours. */
  style(format: Style | Style[], text: string): string {
    return this.colored ? styleText(format, text, { validateStream: false }) : text;
  }

  #close(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClosed?.(hasGone(error) ? undefined : error);
  }
}

/** Whether a failure says no more than that nobody reads. */
function hasGone(error: Error): boolean {
  return "code" in error && /^(?:EPIPE|ECONNRESET|EOF|ERR_STREAM_DESTROYED)$/.test(`${error.code}`);
}

/** By https://no-color.org and its counterpart, and by what the terminal can do. */
function wantsColors(env: NonNullable<OutputOptions["env"]>, isTerminal: boolean): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return !/^(?:0|false)$/.test(env.FORCE_COLOR);
  return isTerminal && env.TERM !== "dumb";
}
