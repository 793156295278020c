/**
 * Plays a recording to each who comes, over HTTP.
 *
 * @module
 */

import { sleep } from "../../log/patience.ts";
import { Cors } from "../../server/cors.ts";
import { lastEventIdOf, refusal } from "../../server/request.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { showBytes, showTime } from "../progress_line.ts";
import type { Recording } from "../recording/read.ts";
import { type Ending, play, type PlayOptions } from "./play.ts";
import { findStart, type Start } from "./start.ts";
import { AccessRules } from "../service/access.ts";
import { visible } from "../visible.ts";

/** What a connection is broken off with that was lost when it was recorded. */
const LOST = new Error("The connection was lost when it was recorded");

/** How a recording is served. */
export interface ReplaySettings extends Pick<PlayOptions, "speed" | "interval" | "loop" | "join"> {
  /** The host names that a request may be sent to; `undefined` for any. */
  readonly hosts: readonly string[] | undefined;
  /** The origins of pages that may read; `undefined` for none. */
  readonly cors: readonly string[] | undefined;
  /** Whether nothing is said of readers. */
  readonly quiet: boolean;
}

/** Answers requests with a recording. */
export class ReplayServer {
  /** Settles when a reader has had all, or has left. */
  readonly over: Promise<void>;
  readonly #recording: Recording;
  readonly #settings: ReplaySettings;
  readonly #context: Context;
  readonly #access: AccessRules;
  readonly #cors: Cors | undefined;
  readonly #closing = new AbortController();
  readonly #playing = new Set<Promise<void>>();
  #readers = 0;
  #toldOfCut = false;
  #end: () => void = () => {};

  constructor(recording: Recording, settings: ReplaySettings, context: Context) {
    this.#recording = recording;
    this.#settings = settings;
    this.#context = context;
    const { hosts } = settings;
    const origin = settings.cors?.includes("*") ? "*" : settings.cors;
    try {
      this.#cors = origin === undefined ? undefined : new Cors({ origin });
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error);
      throw new UsageError(`Cannot read --cors: ${found.split(": ").slice(1).join(": ")}`);
    }
    this.#access = new AccessRules({ hosts, origin });
    this.over = new Promise((resolve) => this.#end = resolve);
  }

  /** Answers a request. */
  async fetch(request: Request): Promise<Response> {
    const preflight = this.#cors?.preflight(request);
    if (preflight !== undefined) return preflight;
    const refused = this.#access.checkSource(request, new URL(request.url));
    const response = refused ?? await this.#answer(request);
    return this.#cors?.apply(request, response) ?? response;
  }

  /** Ends all playing. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#playing);
  }

  /** Says something on stderr. */
  say(text: string): void {
    const { stderr } = this.#context;
    if (!this.#settings.quiet) stderr.line(stderr.style("dim", `sse: ${text}`));
  }

  /** Says what a request has failed of. */
  fail(error: unknown): void {
    // That is how a lost connection is played.
    if (error === LOST) return;
    const { stderr } = this.#context;
    const found = error instanceof Error ? error.message : String(error);
    stderr.line(`${stderr.style("red", "sse:")} ${found}`);
  }

  async #answer(request: Request): Promise<Response> {
    const id = lastEventIdOf(request);
    if (id === undefined) return refusal(400, "Cannot resume: the last event ID is garbage\n");
    const start = await findStart(this.#recording, id);
    if (start === undefined) return refusal(500, "Cannot replay: the recording is gone\n");
    const name = `reader ${++this.#readers}`;
    const where = {
      beginning: "from the start",
      after: `after id ${JSON.stringify(id)}`,
      done: `after id ${JSON.stringify(id)}: nothing follows`,
      unknown: `after id ${JSON.stringify(id)}, which is not in the recording: from the start`,
    }[start.how];
    this.say(`${name}: ${visible(where)}`);
    const over = start.how === "done" && !this.#settings.loop;
    if (over || request.method === "HEAD") {
      if (over) this.#end();
      const headers = over ? undefined : headersOf(start);
      return new Response(null, { status: over ? 204 : 200, headers });
    }
    return new Response(this.#play(start, name), { headers: headersOf(start) });
  }

  #play(start: Start, name: string): ReadableStream<Uint8Array> {
    const left = new AbortController();
    const done = Promise.withResolvers<void>();
    this.#playing.add(done.promise);
    const began = performance.now();
    let bytes = 0;
    const finish = (how: string, last: boolean) => {
      this.#playing.delete(done.promise);
      done.resolve();
      this.say(`${name}: ${how}, ${showBytes(bytes)}, ${showTime(performance.now() - began)}`);
      if (last) this.#end();
    };
    const pieces = play(this.#recording, start, {
      ...this.#settings,
      clock: { now: () => performance.now(), sleep },
      signal: AbortSignal.any([left.signal, this.#closing.signal]),
      onCut: () => this.#tellOfCut(),
    });
    let ended = false;
    return new ReadableStream({
      pull: async (controller) => {
        try {
          const { done, value } = await pieces.next();
          if (!done) {
            bytes += value.length;
            return controller.enqueue(value);
          }
          if (ended) return;
          ended = true;
          finish(this.#howOf(value), value.last);
          if (value.lost) controller.error(LOST);
          else controller.close();
        } catch (error) {
          ended = true;
          finish("failed", true);
          throw error;
        }
      },
      cancel: async () => {
        ended = true;
        left.abort();
        await pieces.return({ lost: false, last: false });
        finish("left", true);
      },
    }, { highWaterMark: 0 });
  }

  #howOf({ lost, last }: Ending): string {
    if (this.#closing.signal.aborted) return "ended by us";
    if (last) return lost ? "had all, and was cut as the recording was" : "had all";
    return lost ? "was cut as the recording was" : "had one connection of the recording";
  }

  #tellOfCut(): void {
    if (this.#toldOfCut) return;
    this.#toldOfCut = true;
    this.say("the recording breaks off, as after a crash: all that is there is played");
  }
}

function headersOf({ opening }: Start): Headers {
  return new Headers({
    "content-type": opening.headers["content-type"] ?? "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  });
}
