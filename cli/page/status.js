/**
 * What the server says of itself once a second, and how long a word takes to it and back.
 *
 * @module
 */

import { randomName } from "./random.js";
import { connect, ResponseError } from "./sse.js";
import { reasonOf } from "./stream.js";

/**
 * The figures of the server: counters, but for `queuedBytes` and `sessions`.
 *
 * @typedef {object} Metrics
 * @property {number} published
 * @property {number} delivered
 * @property {number} dropped
 * @property {number} queuedBytes
 * @property {number} sessions
 * @property {number} replayed
 * @property {number} bytes
 * @property {number} slow
 */

/** @typedef {{ topic: string, readers: number }} TopicStatus */

/**
 * @typedef {object} Status
 * @property {number} at When, by the clock of the server.
 * @property {Metrics} metrics
 * @property {TopicStatus[]} topics The first of them.
 * @property {number} topicCount How many there are.
 * @property {string} log What keeps the events.
 */

/**
 * @typedef {object} StatusOptions
 * @property {() => Record<string, string>} headers Of each request.
 * @property {(status: Status) => void} onStatus
 * @property {(ms: number) => void} onLatency Called with the time of a way to the server and back.
 * @property {(reason: string) => void} onStale Called with why nothing comes any more; `""` when it
 * does again.
 * @property {() => void} onUnauthorized Called when the server wants a token: `start` it again then.
 */

/** So long without a word, which comes each second: whoever is there has gone. */
const IDLE = 15_000;

const RETRY = {
  initialDelay: 1_000,
  maxDelay: 10_000,
  statuses: [408, 429, 500, 502, 503, 504],
};

/** Reads the figures. */
export class StatusFeed {
  /** Which page the answers to pings are for. */
  #page = randomName();
  #pings = 0;
  #options;
  /** @type {import("./sse.js").EventStreamConnection | undefined} */
  #connection;

  /** @param {StatusOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Begins to read, or begins again. */
  start() {
    this.stop();
    const { headers, onStale, onUnauthorized } = this.#options;
    const url = new URL(`status?page=${this.#page}`, document.baseURI);
    const connection = connect(url, {
      headers,
      idleTimeout: IDLE,
      connectTimeout: IDLE,
      retry: RETRY,
      onState: (state) => {
        if (connection !== this.#connection) return;
        if (state.state === "open") onStale("");
        else if (state.state === "retry") onStale(reasonOf(state.cause));
        else if (state.state === "closed") {
          const { cause } = state;
          onStale(reasonOf(cause));
          if (cause instanceof ResponseError && cause.status === 401) onUnauthorized();
        }
      },
    });
    this.#connection = connection;
    this.#read(connection);
  }

  /** Reads no more, until it is started again. */
  stop() {
    const connection = this.#connection;
    // First, for it tells of its end.
    this.#connection = undefined;
    connection?.close();
  }

  /** Sends a word, to see how long it takes. It fails where the figures stop coming, too. */
  async ping() {
    const body = JSON.stringify({ page: this.#page, n: ++this.#pings, at: performance.now() });
    const headers = { "content-type": "application/json", ...this.#options.headers() };
    await fetch("status/ping", { method: "POST", headers, body }).catch(() => {});
  }

  /** @param {import("./sse.js").EventStreamConnection} connection */
  async #read(connection) {
    try {
      for await (const { event, data } of connection) {
        if (connection !== this.#connection) return;
        if (event === "status") this.#onStatus(data);
        else if (event === "pong") this.#onPong(data);
      }
    } catch (error) {
      // `onState` was told of what the connection has failed of.
      if (connection === this.#connection && connection.readyState !== "closed") throw error;
    }
  }

  /** @param {string} data */
  #onStatus(data) {
    /** @type {Status} */
    const status = JSON.parse(data);
    this.#options.onStatus(status);
  }

  /** @param {string} data */
  #onPong(data) {
    /** @type {{ page: string, at: number }} */
    const { page, at } = JSON.parse(data);
    if (page === this.#page) this.#options.onLatency(performance.now() - at);
  }
}
