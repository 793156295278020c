/**
 * A stand-in for the APIs of language models: it says the same to every prompt, token by token, in
 * the shape of OpenAI's chat completions or Anthropic's messages.
 *
 * @module
 */

import type { ServerSentEventInit } from "@webstreams/sse/encode";
import { eventStreamResponse } from "@webstreams/sse/server";
import { setTimeout as delay } from "node:timers/promises";

const TOKENS = "What is lost on the way is asked for again , and the model is asked once . ".split(
  /(?<= )/,
);

/** As `POST /v1/chat/completions` with `stream: true`. */
async function* openai(signal: AbortSignal): AsyncGenerator<ServerSentEventInit> {
  const chunk = (delta: { content?: string }, finish_reason: string | null) => ({
    data: JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason }],
    }),
  });
  for (const content of TOKENS) {
    yield chunk({ content }, null);
    await delay(50, undefined, { signal });
  }
  yield chunk({}, "stop");
  yield { data: "[DONE]" };
}

/** As `POST /v1/messages` with `stream: true`. */
async function* anthropic(signal: AbortSignal): AsyncGenerator<ServerSentEventInit> {
  const event = (type: string, more: Record<string, unknown>) => ({
    event: type,
    data: JSON.stringify({ type, ...more }),
  });
  const message = { id: "msg_1", type: "message", role: "assistant", content: [] };
  yield event("message_start", { message });
  yield event("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
  for (const text of TOKENS) {
    yield event("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
    await delay(50, undefined, { signal });
  }
  yield event("content_block_stop", { index: 0 });
  yield event("message_delta", { delta: { stop_reason: "end_turn" } });
  yield event("message_stop", {});
}

/** Answers a prompt. */
export function standIn(request: Request): Response {
  const speak = new URL(request.url).pathname.endsWith("/messages") ? anthropic : openai;
  return eventStreamResponse(({ signal }) => speak(signal));
}
