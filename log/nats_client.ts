/**
 * What the log needs of a NATS client, and how it asks: each question has a time, and none outlives
 * the log.
 *
 * @module
 */

import { LogUnavailableError } from "../errors.ts";
import { answerOf } from "./patience.ts";

/** A message of a {@linkcode NatsConnection}, as far as the log reads it. */
export interface NatsMessage {
  /** The subject that it was sent to. */
  readonly subject: string;
  /** The subject to answer to; JetStream says there where the message is kept. Default: none. */
  readonly reply?: string;
  /** The payload. */
  readonly data: Uint8Array;
  /** The headers. Default: none. */
  readonly headers?: {
    /** The status of a message that says how a request went; 0 for all others. */
    readonly code: number;
    /** What the status means. */
    readonly description: string;
    /**
     * Gives a header.
     *
     * @param key Its name.
     * @returns Its value, `""` if there is none.
     */
    get(key: string): string;
  };
}

/** A subscription of a {@linkcode NatsConnection}. */
export interface NatsSubscription {
  /** Ends it. */
  unsubscribe(): void;
}

/** What a {@linkcode NatsConnection} gives that happens to it. */
export interface NatsStatusList extends AsyncIterable<{ readonly type: string }> {
  /** Ends the list; the clients of NATS have it. Default: it ends with the connection. */
  stop?(): void;
}

/**
 * A connection to NATS as `@nats-io/transport-node`, `@nats-io/transport-deno` and
 * `wsconnect` of `@nats-io/nats-core` make it: the part that a {@linkcode NatsEventLog} uses.
 */
export interface NatsConnection {
  /** What the server says of itself. Default: it is not connected. */
  readonly info?: {
    /** How many bytes a message may take. */
    readonly max_payload: number;
  };
  /**
   * Asks, and waits for one answer.
   *
   * @param subject Where to.
   * @param payload The question.
   * @param options How long to wait, in milliseconds.
   * @returns The answer.
   */
  request(subject: string, payload: string, options: { timeout: number }): Promise<NatsMessage>;
  /**
   * Asks, and waits for many answers.
   *
   * @param subject Where to.
   * @param payload The question.
   * @param options How long to wait, in milliseconds, and for how many; a subscription of its own, for
   * what a consumer sends keeps the subject that it was published to.
   * @returns The answers.
   */
  requestMany(
    subject: string,
    payload: string,
    options: { strategy: "count"; maxWait: number; maxMessages: number; noMux: true },
  ): Promise<AsyncIterable<NatsMessage>>;
  /**
   * Subscribes to a subject.
   *
   * @param subject The subject, which may have wildcards.
   * @param options What to call with each message.
   * @returns The subscription.
   */
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: NatsMessage) => void },
  ): NatsSubscription;
  /**
   * Tells what happens to the connection.
   *
   * @returns What happens from now on; the log looks for `reconnect`.
   */
  status(): AsyncIterable<{ readonly type: string }>;
}

/** A JetStream client as `jetstream(connection)` of `@nats-io/jetstream` makes it: the part in use. */
export interface NatsJetStream {
  /** What the subjects of its API begin with, `$JS.API` if it is in no domain. */
  readonly apiPrefix: string;
  /**
   * Publishes a message into a stream.
   *
   * @param subject The subject.
   * @param payload The payload.
   * @param options The id that it is known by, how long to wait in milliseconds, what it comes after.
   * @returns Where it is kept.
   */
  publish(
    subject: string,
    payload: string,
    options: { msgID: string; timeout: number; expect: { lastSubjectSequence: number } },
  ): Promise<NatsPubAck>;
}

/** What JetStream says of a message that it keeps. */
export interface NatsPubAck {
  /** Its number in the stream. */
  readonly seq: number;
  /** It was there before. */
  readonly duplicate: boolean;
}

/** The numbers that JetStream gives its errors. */
export const REFUSED = {
  wrongLastSequence: 10_071,
  wrongLastSequenceUnknown: 10_164,
  streamNotFound: 10_059,
  noMessage: 10_037,
} as const;

/** How a question is asked. */
export interface AskOptions {
  /** What is tried, for the message of an error. */
  action: string;
  /** Ends the waiting, which rejects with its reason. Default: none. */
  signal?: AbortSignal;
  /** How long to wait, in milliseconds. Default: the time of the log. */
  timeout?: number;
}

/** JetStream has answered, and refused. */
export class JetStreamRefusal extends LogUnavailableError {
  /** Which error it is. */
  readonly refusal: number;
  /** Whether the same question can have another answer later. */
  readonly isPassing: boolean;

  /**
   * @param action What was tried.
   * @param error What JetStream says.
   */
  constructor(action: string, { code, err_code: refusal, description }: ApiError) {
    const found = `JetStream says "${description}" (${refusal})`;
    super(`Cannot ${action}: ${found}`, { cause: new Error(description) });
    this.refusal = refusal;
    this.isPassing = code >= 500 || code === 409;
  }
}

interface ApiError {
  code: number;
  err_code: number;
  description: string;
}

/** What waits for an answer. */
interface Question {
  /** Ends it. */
  cut(reason: unknown): void;
  /** The connection was away: its answer never comes. */
  lose(): void;
}

/** Asks JetStream, for one log. */
export class NatsClient {
  readonly connection: NatsConnection;
  readonly #jetstream: NatsJetStream;
  readonly #timeout: number;
  /** Called when the connection is there again: the server may be another one. */
  onReconnect: () => void = () => {};
  /** What has no answer yet. */
  readonly #questions = new Set<Question>();
  #status: NatsStatusList | undefined = undefined;
  #closed = false;
  #maxPayload = 1_048_576;

  /** @param timeout How long a question waits, in milliseconds. */
  constructor(connection: NatsConnection, jetstream: NatsJetStream, timeout: number) {
    this.connection = connection;
    this.#jetstream = jetstream;
    this.#timeout = timeout;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How many bytes a message may take; as the server has said when it was last asked. */
  get maxPayload(): number {
    return this.#maxPayload = this.connection.info?.max_payload ?? this.#maxPayload;
  }

  /** How long a call may take, in milliseconds. */
  get timeout(): number {
    return this.#timeout;
  }

  /** Asks the API of JetStream. */
  async call(path: string, body: unknown, options: AskOptions): Promise<Record<string, unknown>> {
    const { timeout = this.#timeout, action } = options;
    const { apiPrefix } = this.#jetstream;
    const ask = () =>
      this.connection.request(`${apiPrefix}.${path}`, JSON.stringify(body), { timeout });
    const { data } = await this.answer(ask, options);
    const answer: Record<string, unknown> = JSON.parse(new TextDecoder().decode(data));
    if (isApiError(answer.error)) throw new JetStreamRefusal(action, answer.error);
    return answer;
  }

  /** Asks the API of JetStream for up to `maxMessages` messages, and takes them until `take` is false. */
  callMany(
    path: string,
    body: unknown,
    { maxMessages, take, ...options }: AskOptions & {
      maxMessages: number;
      take(message: NatsMessage): boolean;
    },
  ): Promise<void> {
    const { timeout: maxWait = this.#timeout } = options;
    const { apiPrefix } = this.#jetstream;
    return this.answer(async () => {
      const answers = await this.connection.requestMany(
        `${apiPrefix}.${path}`,
        JSON.stringify(body),
        { strategy: "count", maxWait, maxMessages, noMux: true },
      );
      for await (const message of answers) if (!take(message)) return;
    }, { ...options, once: true });
  }

  /** Asks for something that nobody waits for. */
  discard(path: string): void {
    const ask = () =>
      this.connection.request(`${this.#jetstream.apiPrefix}.${path}`, "", {
        timeout: this.#timeout,
      });
    Promise.try(ask).catch(() => {});
  }

  /** Publishes, unless the subject holds something that is newer than `after`. */
  async publish(
    subject: string,
    payload: string,
    { msgID, after, ...options }: AskOptions & { msgID: string; after: number },
  ): Promise<NatsPubAck> {
    const { timeout = this.#timeout, action } = options;
    const expect = { lastSubjectSequence: after };
    try {
      return await this.answer(
        () => this.#jetstream.publish(subject, payload, { msgID, timeout, expect }),
        options,
      );
    } catch (error) {
      const api = refusalOf(error);
      if (api !== undefined) throw new JetStreamRefusal(action, api);
      throw error;
    }
  }

  /**
   * Waits for an answer. What was asked when the connection breaks is lost, and asked again when it is
   * there again; `once` is for what cannot be, and gives `undefined` then.
   */
  async answer<T>(ask: () => Promise<T>, options: AskOptions): Promise<T>;
  async answer<T>(
    ask: () => Promise<T>,
    options: AskOptions & { once: true },
  ): Promise<T | undefined>;
  async answer<T>(
    ask: () => Promise<T>,
    { action, signal, timeout = this.#timeout, once = false }: AskOptions & { once?: boolean },
  ): Promise<T | undefined> {
    this.assertOpen(action);
    signal?.throwIfAborted();
    this.#heed();
    const { promise: cut, reject } = Promise.withResolvers<never>();
    // What cuts a question is no fault of the engine.
    let reason: { cause: unknown } | undefined;
    const question: Question = {
      cut(cause) {
        reason = { cause };
        reject(cause);
      },
      lose() {},
    };
    const abort = () => question.cut(signal?.reason);
    this.#questions.add(question);
    signal?.addEventListener("abort", abort);
    try {
      const answer = Promise.race([askAgain(ask, question, once), cut]);
      return await answerOf(answer, { action, timeout });
    } catch (error) {
      throw reason === undefined ? error : reason.cause;
    } finally {
      // Nobody waits for it any more.
      question.lose = () => {};
      this.#questions.delete(question);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Waits for so many milliseconds, or until the log is closed. */
  async pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pause: Question = { cut() {}, lose() {} };
    await new Promise<void>((resolve) => {
      pause.cut = () => resolve();
      timer = setTimeout(resolve, ms);
      this.#questions.add(pause);
    });
    clearTimeout(timer);
    this.#questions.delete(pause);
  }

  assertOpen(action: string): void {
    if (this.#closed) throw closedError(action);
  }

  /** Ends all questions. */
  close(): void {
    this.#closed = true;
    for (const { cut } of this.#questions) cut(closedError("wait for JetStream"));
    this.#questions.clear();
    this.#status?.stop?.();
  }

  /** Looks from the first question on for when the connection is there again. */
  async #heed(): Promise<void> {
    if (this.#status !== undefined) return;
    try {
      this.#status = this.connection.status();
      for await (const { type } of this.#status) {
        if (this.#closed) return;
        if (type !== "reconnect") continue;
        for (const { lose } of [...this.#questions]) lose();
        this.onReconnect();
      }
    } catch {
      // The connection is over, and says so to whoever uses it.
    }
  }
}

/** What a log that is closed says. */
export function closedError(action: string): TypeError {
  return new TypeError(`Cannot ${action}: the log is closed`);
}

/** Asks again whenever the question was lost. */
async function askAgain<T>(
  ask: () => Promise<T>,
  question: Question,
  once: boolean,
): Promise<T | undefined> {
  for (;;) {
    const { promise: lost, resolve } = Promise.withResolvers<undefined>();
    let isLost = false;
    question.lose = () => {
      isLost = true;
      resolve(undefined);
    };
    const answer = await Promise.race([Promise.try(ask), lost]);
    if (!isLost || once) return answer;
  }
}

/** What the client says that JetStream has refused. */
function refusalOf(error: unknown): ApiError | undefined {
  if (!(error instanceof LogUnavailableError)) return undefined;
  const { cause } = error;
  if (!(cause instanceof Error) || !("code" in cause) || !("status" in cause)) return undefined;
  const { code: refusal, status: code, message: description } = cause;
  if (typeof refusal !== "number" || typeof code !== "number") return undefined;
  return { code, err_code: refusal, description };
}

function isApiError(value: unknown): value is ApiError {
  return typeof value === "object" && value !== null && "code" in value && "description" in value;
}
