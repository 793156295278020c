/**
 * The connection that the page shows: it may be cut, and says what it does about it.
 *
 * @module
 */

import { Ledger } from "./ledger.js";
import { connect, isPattern, ResponseError } from "./sse.js";

/** @typedef {import("./sse.js").ConnectionState} ConnectionState */
/** @typedef {import("./sse.js").EventStreamConnection} EventStreamConnection */
/** @typedef {import("./sse.js").ServerSentEvent} ServerSentEvent */

/**
 * How it is.
 *
 * @typedef {object} StreamState
 * @property {"connecting" | "open" | "waiting" | "closed"} phase
 * @property {number} attempt How many requests were made.
 * @property {string} asked The last event ID that was asked for.
 * @property {number} until When it tries again, by `performance.now`; only while it waits.
 * @property {string} reason Why it waits or is closed.
 * @property {number} away For how many ms it was away the last time; 0 if it never was.
 * @property {boolean} unauthorized It is closed for want of a token.
 * @property {boolean} ended It waits, for the server has ended the stream.
 */

/** @typedef {{ event: ServerSentEvent, entry: import("./ledger.js").Entry }} Entered */

/**
 * @typedef {object} StreamOptions
 * @property {() => Record<string, string>} headers Of each request.
 * @property {() => void} onChange Called when the state is another.
 * @property {(events: Entered[]) => void} onEvents Called with all events that came at once.
 */

/** Nothing comes for so long, keep-alives included: whoever is there has gone. */
const IDLE = 45_000;

/** How it comes back: soon, and for as long as the page is open. */
const RETRY = {
  initialDelay: 500,
  maxDelay: 10_000,
  multiplier: 1.5,
  jitter: 0.5,
  resetAfter: 1_000,
  statuses: [408, 429, 500, 502, 503, 504],
};

/** Reads the topics that were chosen, and keeps the books. */
export class LiveStream {
  #options;
  /** @type {EventStreamConnection | undefined} */
  #connection;
  #url = "";
  /** Dropped with the request that is under way. */
  #request = new AbortController();
  #cutUntil = 0;
  #lostAt = 0;
  ledger = new Ledger();
  /** It may come to read more topics than were named. */
  openEnded = true;
  /** @type {StreamState} */
  state = initialState();

  /** @param {StreamOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /**
   * Reads these topics, from now on.
   *
   * @param {readonly string[]} topics Names and patterns; none for all there are.
   */
  open(topics) {
    const query = topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join("&");
    this.#url = new URL(query === "" ? "events" : `events?${query}`, document.baseURI).href;
    this.ledger = new Ledger(topics.length === 1 && !isPattern(topics[0]) ? topics[0] : undefined);
    this.openEnded = topics.length === 0 || topics.some(isPattern);
    this.state = initialState();
    this.#lostAt = this.#cutUntil = 0;
    this.#start("");
  }

  /**
   * Drops the response that is read, as a network does that breaks.
   *
   * @param {number} ms For how long no request gets through either.
   */
  cut(ms) {
    this.#cutUntil = performance.now() + ms;
    this.#request.abort(new DOMException("it was cut on this page", "NetworkError"));
  }

  /** Connects now, without another wait. */
  connectNow() {
    this.#cutUntil = 0;
    const { lastEventId } = this.#connection ?? { lastEventId: "" };
    if (this.state.phase === "closed") this.#start(lastEventId);
    else if (this.state.phase !== "open") this.#connection?.reconnect();
  }

  /** @param {string} lastEventId */
  #start(lastEventId) {
    const before = this.#connection;
    // First, for it tells of its end.
    this.#connection = undefined;
    before?.close();
    const connection = connect(this.#url, {
      lastEventId,
      headers: this.#options.headers,
      fetch: (input, init) => this.#fetch(input, init),
      idleTimeout: IDLE,
      connectTimeout: IDLE,
      retry: RETRY,
      // What is sent twice is to be seen.
      dedupe: false,
      onState: (state) => {
        if (connection === this.#connection) this.#onState(state);
      },
    });
    this.#connection = connection;
    this.#read(connection);
  }

  /** @param {EventStreamConnection} connection */
  async #read(connection) {
    try {
      for await (const events of connection.batches()) {
        if (connection !== this.#connection) return;
        // A server says where its reader is before the first event.
        this.ledger.begin(connection.lastEventId);
        this.#options.onEvents(
          events.map((event) => ({ event, entry: this.ledger.enter(event) })),
        );
      }
    } catch (error) {
      // `onState` was told of it; what is left is a fault of this page.
      if (connection === this.#connection && this.state.phase !== "closed") throw error;
    }
  }

  /**
   * `fetch`, over a network that can be cut.
   *
   * @param {RequestInfo | URL} input
   * @param {RequestInit} [init]
   */
  async #fetch(input, init = {}) {
    if (performance.now() < this.#cutUntil) {
      throw new TypeError("it is cut on this page");
    }
    this.#request = new AbortController();
    const { signal } = this.#request;
    return await fetch(input, {
      ...init,
      signal: init.signal ? AbortSignal.any([init.signal, signal]) : signal,
    });
  }

  /** @param {ConnectionState} state */
  #onState(state) {
    const now = performance.now();
    switch (state.state) {
      case "connecting":
        this.ledger.begin(state.lastEventId);
        this.#change({
          phase: "connecting",
          attempt: this.state.attempt + 1,
          asked: state.lastEventId,
        });
        break;
      case "open":
        this.ledger.reopen();
        this.#change({ phase: "open", away: this.#lostAt === 0 ? 0 : now - this.#lostAt });
        this.#lostAt = 0;
        break;
      case "retry":
        this.#lostAt ||= now;
        this.#change({
          phase: "waiting",
          until: now + state.delay,
          reason: reasonOf(state.cause),
          ended: state.cause === undefined,
        });
        break;
      case "closed": {
        this.#lostAt ||= now;
        const { cause } = state;
        const unauthorized = cause instanceof ResponseError && cause.status === 401;
        this.#change({ phase: "closed", reason: reasonOf(cause), unauthorized });
        break;
      }
    }
  }

  /** @param {Partial<StreamState>} change */
  #change(change) {
    this.state = { ...this.state, reason: "", unauthorized: false, ended: false, ...change };
    this.#options.onChange();
  }
}

/** @returns {StreamState} */
function initialState() {
  return {
    phase: "connecting",
    attempt: 0,
    asked: "",
    until: 0,
    reason: "",
    away: 0,
    unauthorized: false,
    ended: false,
  };
}

/**
 * Why a connection was lost, in a sentence.
 *
 * @param {unknown} cause
 */
export function reasonOf(cause) {
  if (cause === undefined) return "the server ended the stream";
  if (cause instanceof ResponseError) {
    const said = cause.body.trim().split("\n")[0].slice(0, 200);
    return said === "" ? cause.message : `the server refused with ${cause.status}: ${said}`;
  }
  if (!(cause instanceof Error)) return String(cause);
  // What we tried is known here.
  return cause.message.replace(/^Cannot [^:]+: /, "");
}
