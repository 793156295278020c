/**
 * A connection that resumes: the state machine behind `connect`.
 *
 * One loop connects, waits and connects again until there is a response to read (`#connect`). The
 * consumer reads from it, for nothing is read that nobody asked for (`read`); when it is lost, that
 * loop runs again.
 *
 * @module
 */

import { ResponseError, SseError, TruncatedError } from "../errors.ts";
import type { ParserOptions, ServerSentEvent } from "../parse/events.ts";
import { ServerSentEventParser } from "../parse/parser.ts";
import { EventQueue } from "../parse/reader.ts";
import { openSource } from "../parse/source.ts";
import type { EventStreamConnection } from "./interface.ts";
import { Link } from "./link.ts";
import { Final, Opener, orAbort } from "./opening.ts";
import {
  checkOptions,
  type CloseInfo,
  type ConnectionState,
  type ConnectionStats,
  type ConnectOptions,
  requestOptions,
} from "./options.ts";
import { type PerAttempt, RequestMaker } from "./request.ts";
import { ReplayFilter } from "./resume.ts";
import {
  type CompletePolicy,
  completePolicy,
  decideRetry,
  parseRetryAfter,
  type RetryContext,
} from "./retry.ts";
import { IdSaver } from "./store.ts";
import { startTimer } from "./timers.ts";

/** See {@linkcode EventStreamConnection}. */
export class Connection extends EventQueue implements EventStreamConnection {
  readonly #opened = Promise.withResolvers<Response>();
  readonly #closed = Promise.withResolvers<CloseInfo>();
  readonly opened: Promise<Response> = this.#opened.promise;
  readonly closed: Promise<CloseInfo> = this.#closed.promise;
  readonly stats: ConnectionStats = { bytes: 0, events: 0, attempts: 0, lastByteAt: undefined };

  readonly #options: ConnectOptions;
  readonly #unref: boolean;
  readonly #opener: Opener;
  readonly #policy: CompletePolicy;
  readonly #signal: AbortSignal | undefined;
  readonly #filter: ReplayFilter | undefined;
  #saver: IdSaver | undefined;
  #url: string;
  #readyState: "connecting" | "open" | "closed" = "connecting";
  #readable: ReadableStream<ServerSentEvent> | undefined;

  // The loop that connects: `#connecting` is over when there is a link, or none will be. A
  // controller belongs to one attempt or wait; whoever does not find its own is superseded.
  #connecting: Promise<void>;
  #controller: AbortController | undefined;
  #link: Link | undefined;
  #losses = 0;
  #cause: unknown;
  #retry: number | undefined;
  #started = false;
  #wasOpen = false;
  /** A response has named an id. */
  #named = false;
  /** `onState` has thrown. */
  #deaf = false;

  /** @param unref Whether a wait for the next attempt lets a process end. */
  constructor(url: PerAttempt<string | URL> | Request, options: ConnectOptions, unref = false) {
    checkOptions(options);
    const { retry, signal, fetch, lastEventId = "", maxEventSize } = options;
    // Throws at once if either makes no sense.
    new ServerSentEventParser({ lastEventId, maxEventSize });
    super(lastEventId);
    this.#options = options;
    this.#unref = unref;
    this.#policy = completePolicy(typeof retry === "object" ? retry : {});
    const maker = new RequestMaker(url, requestOptions(options), fetch !== undefined);
    this.#url = maker.url;
    this.#opener = new Opener(maker, options, (context, { url, lastEventIdSent }) => {
      this.#url = url.href;
      const { attempt, lastEventId } = context;
      this.#tell({ state: "connecting", attempt, lastEventId, lastEventIdSent });
    });
    this.#filter = options.dedupe === false ? undefined : new ReplayFilter();
    this.#signal = signal === undefined ? maker.signal : signal ?? undefined;
    // Whoever only iterates is told by the iteration.
    this.opened.catch(() => {});
    this.#signal?.addEventListener("abort", this.#onAbort);
    this.#connecting = this.#start();
  }

  get readyState(): "connecting" | "open" | "closed" {
    return this.#readyState;
  }

  get url(): string {
    return this.#url;
  }

  /** The reconnection time that the server sent last, in ms (T17). */
  get retry(): number | undefined {
    return this.#retry;
  }

  get readable(): ReadableStream<ServerSentEvent> {
    return this.#readable ??= new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await this.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => {
        await this.return();
      },
      // Nothing before it is asked for: an event is taken when the next one is.
    }, { highWaterMark: 0 });
  }

  reconnect(): void {
    // Before the first request there is nothing to do again.
    if (this.ended || !this.#started) return;
    this.drop();
    this.#unlink()?.catch(() => {});
    this.#controller?.abort();
    this.#losses = 0;
    this.#cause = undefined;
    this.#connecting = this.#connect();
  }

  close(reason?: unknown): void {
    this.#finish({ reason: "closed", cause: reason });
  }

  protected stop(reason: unknown): Promise<void> {
    return this.#shut({ reason: "closed", cause: reason });
  }

  protected override onTaken(events: readonly ServerSentEvent[], count: number): void {
    // Nothing to remember or to save while there are no ids.
    if (count === 0 || !this.#named) return;
    this.#filter?.take(events, count);
    this.#saver?.save(events[count - 1].id);
  }

  protected override async beforeEnd(): Promise<void> {
    await this.#saver?.flush();
  }

  protected async read(events: ServerSentEvent[]): Promise<void> {
    const link = this.#link;
    if (link === undefined) return await this.#connecting;
    // A block without data moves it too (T14), but what a replay repeats does not move it back.
    const { lastEventId } = link.parser;
    if (link.named && !this.#filter?.repeatsId(lastEventId)) {
      this.taken = lastEventId;
      this.#saver?.save(lastEventId);
    }
    try {
      const chunk = await link.read();
      if (link !== this.#link) return;
      if (chunk === undefined) return this.#lose(link, this.#truncation(link));
      this.stats.bytes += chunk.length;
      this.stats.lastByteAt = Date.now();
      this.#feed(link, chunk, events);
    } catch (error) {
      if (link === this.#link) this.#lose(link, error);
    }
  }

  #feed(link: Link, chunk: Uint8Array | string, events: ServerSentEvent[]): void {
    let failure: { error: unknown } | undefined;
    let complete = false;
    try {
      try {
        link.feed(chunk, events);
      } finally {
        // What came before a fault is given out first.
        if (this.#filter?.active) this.#dropRepeats(link, events);
        complete = this.#cutAtTerminator(events);
      }
    } catch (error) {
      failure = { error };
    }
    this.#retry = link.parser.retry ?? this.#retry;
    this.#named ||= link.named;
    this.stats.events += events.length;
    if (complete) this.#finish({ reason: "ended" });
    else if (failure !== undefined) this.#fail(failure.error);
  }

  #dropRepeats(link: Link, events: ServerSentEvent[]): void {
    let kept = 0;
    for (let i = 0; i < events.length; i++) {
      if (!this.#filter!.repeats(events[i], i >= link.namedFrom)) events[kept++] = events[i];
    }
    events.length = kept;
  }

  /** Cuts `events` before the one that ends the stream; whether there is one. */
  #cutAtTerminator(events: ServerSentEvent[]): boolean {
    const { until } = this.#options;
    if (until === undefined) return false;
    const index = events.findIndex((event) => until(event));
    if (index === -1) return false;
    events.length = index;
    return true;
  }

  /** What the end of a body is short of. */
  #truncation({ parser }: Link): TruncatedError | undefined {
    if (parser.incomplete) {
      return new TruncatedError("Cannot finish event: the body ended inside of it");
    }
    if (this.#options.until === undefined) return undefined;
    return new TruncatedError('Cannot finish stream: the body ended before the event of "until"');
  }

  async #start(): Promise<void> {
    // Not before `connect` has returned: `onState` may want what it returns.
    await undefined;
    if (this.#signal?.aborted) this.#onAbort();
    const { store } = this.#options;
    if (store !== undefined && !this.ended) {
      try {
        const { signal } = this.#controller = new AbortController();
        const id = await orAbort(store.load(), signal);
        if (id !== undefined) {
          new ServerSentEventParser({ lastEventId: id });
          this.taken = id;
        }
        this.#saver = new IdSaver(store, this.lastEventId, (error) => this.#fail(error));
      } catch (error) {
        // After an end it is what ended the wait, and is not told.
        this.#fail(error);
      }
    }
    this.#started = true;
    await this.#connect();
  }

  /** Connects, and again, until there is a link, or none will be, or somebody else connects. */
  async #connect(): Promise<void> {
    while (!this.ended) {
      const controller = this.#controller = new AbortController();
      try {
        await this.#attempt(controller);
        return;
      } catch (error) {
        if (controller !== this.#controller) return;
        controller.abort();
        if (this.ended || !await this.#waitAfter(error)) return;
      }
    }
  }

  async #attempt(controller: AbortController): Promise<void> {
    this.#readyState = "connecting";
    const { lastEventId } = this;
    const response = await this.#opener.open(controller, () => ({
      attempt: ++this.stats.attempts,
      lastEventId,
      cause: this.#cause,
    }));
    if (controller.signal.aborted) {
      response.body?.cancel().catch(() => {});
      return;
    }
    if (response.status === 204) {
      this.#opened.resolve(response);
      return this.#finish({ reason: "no-content" });
    }
    this.#open(response, controller, lastEventId);
  }

  #open(response: Response, controller: AbortController, lastEventId: string): void {
    const { maxEventSize, onComment, onState } = this.#options;
    const comments = onComment !== undefined || onState !== undefined;
    const parserOptions: ParserOptions = {
      maxEventSize,
      lastEventId,
      onComment: comments ? this.#onComment : undefined,
    };
    const source = openSource(response.body ?? []);
    this.#link = new Link(source, controller, parserOptions, this.#options);
    this.#readyState = "open";
    if (this.#wasOpen) this.#filter?.start();
    this.#wasOpen = true;
    this.#opened.resolve(response);
    this.#tell({ state: "open", response });
  }

  readonly #onComment = (text: string): void => {
    this.#options.onComment?.(text);
    this.#tell({ state: "comment", text });
  };

  /** The link is lost: who reads next waits for another. */
  #lose(link: Link, cause: unknown): void {
    if (performance.now() - link.openedAt >= this.#policy.resetAfter) this.#losses = 0;
    // An answer that is made anew would begin behind the half of this one.
    const anew = this.#policy.onEnd === "close" && this.stats.events > 0 && this.lastEventId === "";
    if (anew && cause instanceof SseError && !(cause instanceof TruncatedError)) {
      cause = new TruncatedError("Cannot finish stream: the body broke off", { cause });
    }
    this.#unlink()?.catch(() => {});
    this.#controller = undefined;
    this.#connecting = this.#waitAfter(cause).then((again) => again ? this.#connect() : undefined);
  }

  /** Waits as long as the policy has it; whether to try again then. */
  async #waitAfter(cause: unknown): Promise<boolean> {
    this.#readyState = "connecting";
    const delay = this.#delayAfter(cause);
    if (delay === undefined) return false;
    this.#cause = cause;
    const controller = this.#controller = new AbortController();
    this.#tell({ state: "retry", delay, cause, attempt: this.#losses });
    await new Promise<void>((resolve) => {
      if (controller.signal.aborted) return resolve();
      const stop = startTimer(resolve, delay, this.#unref);
      controller.signal.addEventListener("abort", () => {
        stop();
        resolve();
      });
    });
    return !controller.signal.aborted;
  }

  /** How long to wait before the next attempt; if there is none, the connection is closed. */
  #delayAfter(cause: unknown): number | undefined {
    if (cause instanceof Final) return this.#fail(cause.error);
    const context: RetryContext = {
      attempt: ++this.#losses,
      cause,
      lastEventId: this.lastEventId,
      retry: this.#retry,
      retryAfter: cause instanceof ResponseError
        ? parseRetryAfter(cause.headers.get("retry-after"), Date.now())
        : undefined,
    };
    try {
      const decision = decideRetry(this.#options.retry, this.#policy, context, Math.random);
      if (typeof decision === "number") return decision;
      if (decision.error === undefined) this.#finish({ reason: "ended" });
      else this.#fail(decision.error);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Lets go of the response, if there is one. */
  #unlink(): Promise<void> | undefined {
    const link = this.#link;
    if (link === undefined) return undefined;
    this.#link = undefined;
    return link.close();
  }

  /** Ends it once: by whatever comes first. */
  #finish(info: CloseInfo): void {
    if (this.ended) return;
    // Whoever closes it wants no more; otherwise what came before the end is given out first.
    if (info.reason === "closed" || info.reason === "aborted") this.drop();
    this.end(isFailure(info) ? { error: info.cause } : undefined);
    this.#shut(info).catch(() => {});
  }

  #fail(error: unknown): undefined {
    this.#finish({ reason: "failed", cause: error });
  }

  readonly #onAbort = (): void => {
    this.#finish({ reason: "aborted", cause: this.#signal?.reason });
  };

  /** Frees all there is, and tells why. */
  async #shut(info: CloseInfo): Promise<void> {
    this.#readyState = "closed";
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const cancelled = this.#unlink();
    this.#controller?.abort();
    // Only where it is told: an error takes a stack, which is felt in short answers.
    if (!this.#wasOpen) {
      this.#opened.reject(
        isFailure(info)
          ? info.cause
          : new SseError("ERR_SSE_CLOSED", "Cannot open: the connection was closed before"),
      );
    }
    this.#tell({ state: "closed", ...info });
    const saved = this.#saver?.flush();
    // Without a store at once: who looks at it in the same turn finds it settled.
    if (saved === undefined) this.#closed.resolve(info);
    else saved.then(() => this.#closed.resolve(info));
    await cancelled;
    await saved;
  }

  #tell(state: ConnectionState): void {
    if (this.#deaf) return;
    try {
      this.#options.onState?.(state);
    } catch (error) {
      this.#deaf = true;
      // After the end there is nothing left that could fail.
      if (this.ended) {
        queueMicrotask(() => {
          throw error;
        });
      } else this.#fail(error);
    }
  }
}

/** Whether `cause` is an error, which is thrown. */
function isFailure({ reason }: CloseInfo): boolean {
  return reason === "failed" || reason === "aborted";
}
