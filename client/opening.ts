/**
 * One attempt: makes the request, sends it within its time, renews a token at a 401, and looks
 * whether the response is an event stream.
 *
 * @module
 */

import { RedirectError, type ResponseError, SseError, TimeoutError } from "../errors.ts";
import { isEventStream, refusal } from "../parse/response.ts";
import { openSource } from "../parse/source.ts";
import { networkError } from "./link.ts";
import type { ConnectOptions } from "./options.ts";
import { fetchFollowing } from "./redirect.ts";
import type { AttemptContext, Outgoing, RequestMaker } from "./request.ts";
import { startTimer } from "./timers.ts";

/** How long the body of a refused response may take, in ms: it only adds to an error. */
const REFUSAL_TIMEOUT = 2_000;

/** What is thrown by a caller's own code or is a caller's mistake: nothing to try again. */
export class Final {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** Opens the responses of one connection. */
export class Opener {
  readonly #maker: RequestMaker;
  readonly #options: ConnectOptions;
  readonly #onRequest: (context: AttemptContext, outgoing: Outgoing) => void;
  /** A request was made before: the caller's functions are right. */
  #made = false;
  /** Since the last response that was none: a second 401 in a row is final. */
  #renewal: Promise<void> | undefined;

  /** @param onRequest Told of each request before it is sent. */
  constructor(
    maker: RequestMaker,
    options: ConnectOptions,
    onRequest: (context: AttemptContext, outgoing: Outgoing) => void,
  ) {
    this.#maker = maker;
    this.#options = options;
    this.#onRequest = onRequest;
  }

  /**
   * A response that is an event stream, or a 204. Rejects with what went wrong, as
   * {@linkcode Final} if another attempt is of no use, and with the reason when it is aborted.
   *
   * @param begin Called for each request, one more after a 401.
   */
  async open(controller: AbortController, begin: () => AttemptContext): Promise<Response> {
    const { signal } = controller;
    const { onUnauthorized } = this.#options;
    // One that was under way when the attempt before was dropped.
    await this.#renewed(signal);
    for (;;) {
      const context = begin();
      const response = await this.#request(context, controller);
      if (response.status === 401 && onUnauthorized !== undefined && this.#renewal === undefined) {
        response.body?.cancel().catch(() => {});
        const { attempt, lastEventId } = context;
        this.#renewal = (async () => await onUnauthorized({ response, attempt, lastEventId }))();
        await this.#renewed(signal);
        continue;
      }
      this.#renewal = undefined;
      if (response.status === 204 || isEventStream(response)) return response;
      throw await refuse(response);
    }
  }

  async #renewed(signal: AbortSignal): Promise<void> {
    try {
      await orAbort(this.#renewal, signal);
    } catch (error) {
      throw signal.aborted ? error : new Final(error);
    }
  }

  /** Makes the request and sends it, within the time for both. */
  async #request(context: AttemptContext, controller: AbortController): Promise<Response> {
    const { connectTimeout, redirect = "same-origin", fetch } = this.#options;
    const { signal } = controller;
    const stop = connectTimeout === undefined || connectTimeout === false ? () => {} : startTimer(
      () => controller.abort(new TimeoutError("connect", connectTimeout)),
      connectTimeout,
    );
    try {
      const outgoing = await this.#make(context, signal);
      this.#onRequest(context, outgoing);
      signal.throwIfAborted();
      const response = fetchFollowing(
        (...args) => (fetch ?? globalThis.fetch)(...args),
        outgoing,
        signal,
        redirect,
      ).catch((cause) => {
        throw cause instanceof RedirectError ? cause : networkError("the request failed", cause);
      });
      // Nobody is left to read what comes too late.
      response.then(({ body }) => signal.aborted ? body?.cancel() : undefined).catch(() => {});
      return await orAbort(response, signal);
    } finally {
      stop();
    }
  }

  async #make(context: AttemptContext, signal: AbortSignal): Promise<Outgoing> {
    try {
      const outgoing = await orAbort(this.#maker.make(context), signal);
      this.#made = true;
      return outgoing;
    } catch (error) {
      if (signal.aborted) throw error;
      // A function that never worked is wrong; one that fails later may have lost the network too.
      throw this.#made && !(error instanceof SseError) ? error : new Final(error);
    }
  }
}

/** The error for a response that is no event stream, with what its body says within a short time. */
async function refuse(response: Response): Promise<ResponseError> {
  const source = openSource(response.body ?? []);
  const stop = startTimer(() => source.cancel(undefined).catch(() => {}), REFUSAL_TIMEOUT);
  try {
    return await refusal(response, source);
  } finally {
    stop();
  }
}

/** What `work` gives, or the reason of the signal: what a caller gave us may not know of it. */
export async function orAbort<T>(work: T | Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
