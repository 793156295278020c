/**
 * What becomes of a connection, told line by line on stderr.
 *
 * @module
 */

import type { ConnectionState } from "../client.ts";
import { withCauses } from "./failure.ts";
import type { Output } from "./output.ts";
import { visible } from "./visible.ts";

/** Tells of one connection. */
export class ConnectionLines {
  readonly #output: Output;
  readonly #quiet: boolean;
  readonly #url: string;
  #wasOpen = false;
  #isOpen = false;

  /** Tells nothing if `quiet`. */
  constructor(output: Output, url: string, quiet: boolean) {
    this.#output = output;
    this.#url = url;
    this.#quiet = quiet;
  }

  /** Whether a response was an event stream. */
  get wasOpen(): boolean {
    return this.#wasOpen;
  }

  /** For `onState` of a connection. */
  readonly tell = (state: ConnectionState): void => {
    switch (state.state) {
      case "connecting":
        this.#connecting(state);
        break;
      case "open":
        this.#wasOpen = this.#isOpen = true;
        this.say(`open: ${describe(state.response)}`);
        break;
      case "retry": {
        const what = this.#isOpen ? "lost" : "not connected";
        this.#isOpen = false;
        this.say(`${what}: ${reasonOf(state.cause)}; next attempt in ${seconds(state.delay)}`);
        break;
      }
      case "comment":
      case "closed":
        // How it ends is told by who knows what was done.
        break;
    }
  };

  /** Says something of the connection. */
  say(text: string): void {
    if (this.#quiet) return;
    // Not waited for: what is told of must not wait for who reads of it.
    this.#output.line(this.#output.style("dim", `sse: ${visible(text)}`));
  }

  #connecting(
    { attempt, lastEventId, lastEventIdSent }: ConnectionState & { state: "connecting" },
  ): void {
    const again = attempt > 1 ? ` again, attempt ${attempt}` : "";
    const after = lastEventId === "" ? "" : ` after id ${JSON.stringify(lastEventId)}`;
    this.say(`connecting to ${this.#url}${again}${after}`);
    if (!lastEventIdSent) {
      this.say("this id cannot be sent in a header, so the server begins where it likes");
    }
  }
}

function describe({ status, headers }: Response): string {
  return `${status} ${headers.get("content-type") ?? ""}`.trim();
}

function reasonOf(cause: unknown): string {
  if (cause === undefined) return "the server has ended the response";
  if (!(cause instanceof Error)) return String(cause);
  return withCauses(cause).replace(/^Cannot read event stream: /, "");
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
