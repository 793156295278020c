/** The SDKs of OpenAI and Anthropic, whose base URL is that of the sender. */

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import type { ServerSentEvent } from "../../../parse.ts";
import { mark } from "../feeds.ts";
import { openReader, type Reader } from "../peers.ts";
import { PATHS } from "../feeds.ts";

/** A text, and the mark behind it. */
export function pushText(seen: ServerSentEvent[], data: string, index: number): void {
  seen.push({ event: "message", data, id: "" }, { event: "message", data: mark(index), id: "" });
}

const facts = { ours: false, seesId: false, seesRetry: false, resumes: false } as const;

/** The URL of an API, of which the SDK makes that of its path. */
function baseOf(url: string, path: string): string {
  return url.slice(0, url.indexOf(path));
}

const model = "stand-in";

export const readers: readonly Reader[] = [
  {
    name: "OpenAI's SDK",
    feed: "openai",
    ...facts,
    open: () =>
      Promise.resolve(openReader(async (url, seen, signal) => {
        const baseURL = baseOf(url, "/chat/completions");
        const client = new OpenAI({ apiKey: "none", baseURL, maxRetries: 0 });
        const chunks = await client.chat.completions.create(
          { model, messages: [], stream: true },
          { signal },
        );
        for await (const { id, choices } of chunks) {
          pushText(seen, choices[0].delta.content ?? "", Number(id));
        }
      })),
  },
  {
    name: "Anthropic's SDK",
    feed: "anthropic",
    ...facts,
    open: () =>
      Promise.resolve(openReader(async (url, seen, signal) => {
        const baseURL = baseOf(url, PATHS.anthropic.slice(PATHS.anthropic.indexOf("/v1")));
        const client = new Anthropic({ apiKey: "none", baseURL, maxRetries: 0 });
        const events = await client.messages.create(
          { model, max_tokens: 1, messages: [], stream: true },
          { signal },
        );
        for await (const event of events) {
          if (event.type !== "content_block_delta" || event.delta.type !== "text_delta") continue;
          pushText(seen, event.delta.text, event.index);
        }
      })),
  },
];
