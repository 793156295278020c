/**
 * The clients of `docs/compare.md`, all to be started and told in the same way.
 *
 * @module
 */

import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import { connect, type RetryPolicy } from "../../client.ts";

/** What a row wants of a client; each does what it can. */
export interface Wishes {
  url?: string;
  /** What sends the requests; the platform's without it. */
  fetch?(url: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Called with the data of each event; what it returns is waited for by those who wait. */
  onEvent?(data: string): unknown;
  body?: string;
  headers?: Record<string, string>;
  /** A header that is another one at each attempt. */
  token?(): string;
  /** The id to start after. */
  lastEventId?: string;
  retry?: RetryPolicy;
  redirect?: "error";
  /** Called at a 401. */
  renew?(): void;
  /** After how many milliseconds of silence a connection is lost. */
  silence?: number;
  /** The data of the event that ends a stream. */
  done?: string;
  /** What the caller says, where the library asks it. */
  wait?(): number;
  /** Called at a clean end, where the library asks what that is. */
  onEnd?(): void;
}

/** What is known of a client that runs. */
export interface Running {
  /** Loses the connection, where the library can be told to. */
  lose?(): void;
  /** How it has ended, if it has and the library tells. */
  ended?(): "open" | "complete" | "failed";
  close(): void;
}

/** A library that holds a connection. */
export interface ClientPeer {
  readonly name: string;
  start(wishes: Wishes): Running;
}

const FEED = "https://feed.example/";

export const CLIENTS: readonly ClientPeer[] = [
  {
    name: "@webstreams/sse",
    start(wishes) {
      const { url = FEED, onEvent, headers, token, silence, done, renew, retry = {} } = wishes;
      const { fetch, body, lastEventId, redirect } = wishes;
      const connection = connect(url, {
        fetch,
        body,
        lastEventId,
        redirect,
        retry: done === undefined ? retry : false,
        headers: token === undefined ? headers : () => ({ ...headers, "x-token": token() }),
        idleTimeout: silence,
        until: done === undefined ? undefined : ({ data }) => data === done,
        onUnauthorized: renew,
      });
      const loop = async () => {
        for await (const { data } of connection) await onEvent?.(data);
      };
      const { ended } = outcome(loop());
      return { ended, lose: () => connection.reconnect(), close: () => connection.close() };
    },
  },
  {
    name: "eventsource-client",
    start({ url = FEED, fetch, onEvent, body, headers, token, lastEventId, redirect }) {
      const client = createEventSource({
        url,
        fetch,
        method: body === undefined ? undefined : "POST",
        body,
        headers: token === undefined ? headers : { ...headers, "x-token": token() },
        initialLastEventId: lastEventId,
        redirect,
      });
      const loop = async () => {
        for await (const { data } of client) await onEvent?.(data);
      };
      loop().catch(() => {});
      return { close: () => client.close() };
    },
  },
  {
    name: "eventsource",
    start({ url = FEED, fetch, onEvent }) {
      const source = new EventSource(url, { fetch });
      source.onmessage = ({ data }) => void onEvent?.(data);
      return { close: () => source.close() };
    },
  },
  {
    name: "fetch-event-source",
    start({ url = FEED, fetch, onEvent, onEnd, wait, lastEventId, headers, token, ...rest }) {
      const leave = new AbortController();
      const all: Record<string, string> = { ...headers };
      if (token !== undefined) all["x-token"] = token();
      if (lastEventId !== undefined) all["last-event-id"] = lastEventId;
      const { ended } = outcome(fetchEventSource(url, {
        fetch: fetch ?? globalThis.fetch,
        ...rest,
        method: rest.body === undefined ? "GET" : "POST",
        headers: all,
        signal: leave.signal,
        openWhenHidden: true,
        onmessage({ data }) {
          // It gives out what has no data, too.
          if (data !== "") onEvent?.(data);
        },
        onclose: onEnd,
        onerror: () => wait?.(),
      }));
      return { ended, close: () => leave.abort() };
    },
  },
];

/** How what a promise stands for has ended. */
function outcome(end: Promise<void>): Required<Pick<Running, "ended">> {
  let state: "open" | "complete" | "failed" = "open";
  end.then(() => state = "complete", () => state = "failed");
  return { ended: () => state };
}
