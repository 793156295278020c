/**
 * A proxy for the APIs of language models whose answers survive a lost connection. The first request
 * with an `Idempotency-Key` asks the model; each one after it, with the same key, is given the same
 * answer, from its `Last-Event-ID` on. So a client that retries loses no token, and none is paid for
 * twice. `connect` does it by itself:
 *
 * ```ts ignore
 * const headers = { "idempotency-key": crypto.randomUUID() };
 * const json = { stream: true, messages: [{ role: "user", content: "Hello" }] };
 * for await (const { data } of connect(url, { json, headers, retry: { onEnd: "close" } })) ...
 * ```
 *
 * ```sh
 * deno run -A examples/llm_proxy.ts
 * curl -N -d '{}' -H 'Idempotency-Key: 1' http://127.0.0.1:8000/v1/chat/completions
 * ```
 *
 * Here a stand-in answers, unless `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL` names an API.
 *
 * @module
 */

import type { ServerSentEventInit } from "@webstreams/sse/encode";
import { readEvents } from "@webstreams/sse/parse";
import { eventStreamResponse } from "@webstreams/sse/server";
import process from "node:process";
import { standIn } from "./llm_stand_in.ts";
import { run } from "./run.ts";

const USAGE = `Usage: deno run -A examples/llm_proxy.ts

Streams the answers of language models, which can be resumed:
  curl -N -d '{}' -H 'Idempotency-Key: 1' http://127.0.0.1:8000/v1/chat/completions
  curl -N -d '{}' -H 'Idempotency-Key: 1' http://127.0.0.1:8000/v1/messages

OPENAI_BASE_URL and ANTHROPIC_BASE_URL name the APIs to ask. Without them a stand-in answers.`;

/** The paths, with where they are asked for and under which path there. */
const { OPENAI_BASE_URL, ANTHROPIC_BASE_URL } = process.env;
const UPSTREAMS = new Map([
  ["/v1/chat/completions", OPENAI_BASE_URL && `${OPENAI_BASE_URL}/chat/completions`],
  ["/v1/messages", ANTHROPIC_BASE_URL && `${ANTHROPIC_BASE_URL}/v1/messages`],
]);

/** Who asks. One client must not get at the answer of another one by a key that it guessed. */
const CREDENTIALS = ["authorization", "x-api-key"];
const PASSED = [...CREDENTIALS, "content-type", "anthropic-version", "anthropic-beta"];

/** How many answers are kept, for those who come back. */
const MAX_ANSWERS = 1_000;

/** An answer as far as it has come, for any number of readers. */
class Answer {
  readonly #events: ServerSentEventInit[] = [];
  #ended = false;
  #news = Promise.withResolvers<void>();

  /** Reads it to its end, whoever listens: it is paid for, and they may come back. */
  async read(upstream: Response): Promise<void> {
    try {
      for await (const { event, data } of readEvents(upstream)) this.#add({ event, data });
    } catch (error) {
      // In band, as both APIs tell of an error: the answer has begun. It stays as it is for this key,
      // or else one who resumes would get the end of another answer.
      const message = error instanceof Error ? error.message : String(error);
      this.#add({ event: "error", data: JSON.stringify({ type: "error", error: { message } }) });
    }
    this.#ended = true;
    this.#news.resolve();
  }

  /** The events after the first `seen` ones, those that are yet to come included. */
  async *after(seen: number): AsyncGenerator<ServerSentEventInit> {
    for (;;) {
      const news = this.#news.promise;
      if (seen < this.#events.length) yield this.#events[seen++];
      else if (this.#ended) return;
      else await news;
    }
  }

  #add(event: ServerSentEventInit): void {
    this.#events.push({ ...event, id: `${this.#events.length + 1}` });
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** Asks the model. What is no stream, as a refusal, is a response for whoever asked. */
async function ask(request: Request, signal: AbortSignal): Promise<Answer | Response> {
  const { pathname } = new URL(request.url);
  const headers = new Headers();
  for (const name of PASSED) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const body = await request.text();
  const url = UPSTREAMS.get(pathname) || undefined;
  const prompt = new Request(url ?? request.url, { method: "POST", headers, body, signal });
  const upstream = url === undefined ? standIn(prompt) : await fetch(prompt);
  const type = upstream.headers.get("content-type") ?? "text/plain";
  if (!upstream.ok || !type.startsWith("text/event-stream")) {
    const { status } = upstream;
    return new Response(await upstream.text(), { status, headers: { "content-type": type } });
  }
  const answer = new Answer();
  answer.read(upstream);
  return answer;
}

const answers = new Map<string, Promise<Answer | Response>>();
const closing = new AbortController();

async function handler(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.method !== "POST" || !UPSTREAMS.has(pathname)) {
    return new Response(`POST to ${[...UPSTREAMS.keys()].join(" or ")}\n`, { status: 404 });
  }
  const key = request.headers.get("idempotency-key") ?? crypto.randomUUID();
  const who = CREDENTIALS.map((name) => request.headers.get(name));
  const name = JSON.stringify([pathname, key, ...who]);
  const asked = answers.get(name) ?? ask(request, closing.signal);
  answers.set(name, asked);
  const [oldest] = answers.keys();
  if (answers.size > MAX_ANSWERS) answers.delete(oldest);

  const answer = await asked.catch((error) => new Response(`${error}\n`, { status: 502 }));
  if (answer instanceof Response) {
    answers.delete(name);
    return answer.clone(); // Several may wait for it.
  }
  const seen = /^\d{1,9}$/.exec(request.headers.get("last-event-id") ?? "")?.[0];
  return eventStreamResponse(answer.after(Number(seen ?? 0)), { request });
}

await run(USAGE, (listen) => {
  const server = Deno.serve(listen, handler);
  const { port } = server.addr;
  return { port, finished: server.finished, close: () => closing.abort() };
});
