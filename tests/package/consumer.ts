/**
 * Code of a user, for the type checker alone: the signatures of the library as they are used, under
 * compilers and libraries of types that are not ours.
 *
 * @module
 */

import {
  connect,
  type ConnectOptions,
  type EventStreamConnection,
  type RetryFunction,
} from "@webstreams/sse/client";
import {
  type EncodedBytes,
  encodeEvent,
  ServerSentEventEncoderStream,
} from "@webstreams/sse/encode";
import { ResponseError, SseError, type SseErrorCode } from "@webstreams/sse/errors";
import {
  type EventReader,
  LineDecoderStream,
  readEvents,
  type ServerSentEvent,
  ServerSentEventDecoderStream,
} from "@webstreams/sse/parse";
import {
  Channel,
  type ChannelOptions,
  type CloseReason,
  type EventLog,
  eventStreamResponse,
  Hub,
  MemoryEventLog,
  type Session,
} from "@webstreams/sse/server";
import { eventLogContract } from "@webstreams/sse/testing";

/** Reads. */
export async function read(response: Response, signal: AbortSignal): Promise<ServerSentEvent[]> {
  const reader: EventReader = readEvents(response, { signal, maxEventSize: 1_000 });
  const events: ServerSentEvent[] = [];
  for await (const event of reader) events.push(event);
  for await (const batch of readEvents("data: a\n\n").batches()) events.push(...batch);
  for await (const { data } of readEvents(response).json<{ price: number }>()) {
    const price: number = data.price;
    console.log(price);
  }
  await using disposed = readEvents([new Uint8Array(3)]);
  const { lastEventId }: { lastEventId: string } = disposed;
  console.log(lastEventId);
  return events;
}

/** Pipes. */
export function pipe(body: ReadableStream<EncodedBytes>): ReadableStream<Uint8Array> {
  const lines: ReadableStream<string> = body.pipeThrough(new LineDecoderStream());
  console.log(lines);
  return body
    .pipeThrough(new ServerSentEventDecoderStream())
    .pipeThrough(new ServerSentEventEncoderStream());
}

/** Encodes, into what the web takes. */
export function encode(): Response {
  const bytes: EncodedBytes = encodeEvent({ data: "a", id: "1", retry: 10 });
  new Blob([bytes]);
  return new Response(bytes);
}

/** Connects. */
export async function follow(url: URL): Promise<void> {
  const retry: RetryFunction = ({ attempt }) => attempt < 3 ? 100 : false;
  const options: ConnectOptions = {
    headers: async () => await Promise.resolve({ authorization: "Bearer token" }),
    json: () => ({ prompt: "a" }),
    retry,
    until: ({ data }) => data === "[DONE]",
  };
  await using connection: EventStreamConnection = connect(url, options);
  const { status }: Response = await connection.opened;
  const readable: ReadableStream<ServerSentEvent> = connection.readable;
  for await (const { event, data, id, retry } of connection) {
    const fields: [string, string, string, number | undefined] = [event, data, id, retry];
    console.log(status, readable, fields);
  }
}

/** Serves. */
export async function serve(request: Request): Promise<Response> {
  const log: EventLog = new MemoryEventLog({ maxEvents: 10 });
  const options: ChannelOptions<{ user: string }> = {
    log,
    slowConsumer: "drop-oldest",
    onSession: (session: Session<{ user: string }>, change) => console.log(session, change),
  };
  await using channel = new Channel(options);
  const id: string = await channel.publish({ data: "a" });
  console.log(id);
  const hub = new Hub();
  await hub.publish("news", { data: "b" });
  const one: Response = hub.subscribe(request, { topics: ["news"] });
  const other = eventStreamResponse(async (session) => {
    await session.send({ data: "c" });
    const reason: CloseReason = await session.closed;
    console.log(reason);
  }, { request });
  return one.ok ? other : channel.subscribe(request);
}

/** Fails. */
export function tell(error: unknown): SseErrorCode | undefined {
  if (error instanceof ResponseError) console.log(error.status, error.headers.get("a"));
  return error instanceof SseError ? error.code : undefined;
}

/** Tests. */
export async function test(): Promise<void> {
  for (const { run } of eventLogContract(() => new MemoryEventLog())) await run();
}
