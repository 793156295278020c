/**
 * Is this response an event stream? (T19)
 *
 * @module
 */

import { ResponseError } from "../errors.ts";
import { type ChunkSource, openSource } from "./source.ts";

/** How much of a refused body is read for the error, in bytes. */
const BODY_START = 4096;

/** The last value of the header counts, its parameters do not, nor its case. */
const EVENT_STREAM = /(?:^|,)\s*text\/event-stream\s*(?:;[^,]*)?$/i;

/** By shape and not by class: a custom `fetch` may have a `Response` of its own. */
export function isResponse(input: unknown): input is Response {
  return typeof input === "object" && input !== null && "status" in input && "headers" in input &&
    "body" in input;
}

/**
 * Opens the body of a response. If it is no event stream, reading it rejects with
 * {@linkcode ResponseError}.
 *
 * @param response The response, not read yet.
 * @param check Whether status and content type must be those of an event stream.
 */
export function openResponse(response: Response, check: boolean): ChunkSource {
  if (response.bodyUsed) {
    throw new TypeError("Cannot read events: the body was read already, pass a fresh response");
  }
  const body = openSource(response.body ?? []);
  if (!check || isEventStream(response)) return body;
  return {
    read: async () => Promise.reject(await refusal(response, body)),
    cancel: (reason) => body.cancel(reason),
  };
}

/** Status 200 and the content type of an event stream. */
export function isEventStream(response: Response): boolean {
  return faultOf(response) === undefined;
}

/** The error for a response that is no event stream; `body` is read a little, then cancelled. */
export async function refusal(response: Response, body: ChunkSource): Promise<ResponseError> {
  const { code, message } = faultOf(response)!;
  const { status, headers } = response;
  return new ResponseError(code, message, { status, headers, body: await readStart(body) });
}

function faultOf({ status, headers }: Response) {
  if (status !== 200) {
    return {
      code: "ERR_SSE_STATUS",
      message: `Cannot read events: the status must be 200: received ${status}`,
    } as const;
  }
  const type = headers.get("content-type") ?? "";
  if (EVENT_STREAM.test(type)) return undefined;
  return {
    code: "ERR_SSE_CONTENT_TYPE",
    message: `Cannot read events: the content type must be "text/event-stream": received ${
      JSON.stringify(type)
    }, set "checkResponse" to false if the body is one all the same`,
  } as const;
}

async function readStart(body: ChunkSource): Promise<string> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let text = "";
  let left = BODY_START;
  try {
    while (left > 0) {
      const { done, value } = await body.read();
      if (done) return text;
      const bytes = typeof value === "string" ? encoder.encode(value) : value;
      text += decoder.decode(bytes.subarray(0, left), { stream: true });
      left -= bytes.length;
    }
    await body.cancel(undefined);
  } catch {
    // The refusal is what counts; a body that breaks tells nothing more.
  }
  return text;
}
