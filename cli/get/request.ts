/**
 * What `sse get` asks for: URL, method, headers and body.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { orAbort } from "../../client/opening.ts";
import type { Context } from "../context.ts";
import { Failure, UsageError } from "../failure.ts";
import type { GetOptions } from "./options.ts";
import { type Destination, requestTo } from "../request_options.ts";

/** A request that can be sent any number of times. */
export interface GetRequest extends Destination {
  /** `GET`, for example. */
  readonly method: string;
  /** The body, held whole; `undefined` for none. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** Reads the request from the command line, and its body from where that says. */
export async function readRequest(
  target: string,
  options: GetOptions,
  { env, stdin, signal }: Pick<Context, "env" | "signal" | "stdin">,
): Promise<GetRequest> {
  const { url, headers } = requestTo(target, options, env);
  const { body: plain, "json-body": json, request } = options;
  if (plain !== undefined && json !== undefined) {
    throw new UsageError("Cannot send --body and --json-body: choose one");
  }
  const text = json ?? plain;
  const method = methodOf(request ?? (text === undefined ? "GET" : "POST"));
  if (text !== undefined && (method === "GET" || method === "HEAD")) {
    throw new UsageError(`Cannot send a body by ${method}: choose another method, such as POST`);
  }
  if (text === undefined) return { url, headers, method, body: undefined };
  const name = json === undefined ? "body" : "json-body";
  const body = await orAbort(readBody(name, text, stdin), signal);
  if (json !== undefined) checkJson(body);
  // What a form sends is what curl says of its -d, too.
  const type = json === undefined ? "application/x-www-form-urlencoded" : "application/json";
  if (!headers.has("content-type")) headers.set("content-type", type);
  return { url, headers, method, body };
}

/** The method as it is sent: `fetch` writes those that it knows in capitals. */
function methodOf(request: string): string {
  try {
    return new Request("http://localhost/", { method: request }).method;
  } catch {
    throw new UsageError(
      `Cannot ask by --request ${JSON.stringify(request)}: it is no method that can be sent`,
    );
  }
}

async function readBody(
  name: string,
  text: string,
  stdin: Context["stdin"],
): Promise<Uint8Array<ArrayBuffer>> {
  if (!text.startsWith("@")) return new TextEncoder().encode(text);
  const path = text.slice(1);
  try {
    if (path !== "-") return new Uint8Array(await readFile(path));
    const chunks: Uint8Array[] = [];
    for await (const chunk of stdin) chunks.push(chunk);
    return new Uint8Array(Buffer.concat(chunks));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(`Cannot read the file of --${name}: ${reason}`, { cause });
  }
}

function checkJson(body: Uint8Array): void {
  try {
    JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Cannot send --json-body: it is no JSON: ${reason}`);
  }
}
