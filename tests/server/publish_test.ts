/** The event in the body of a `POST`. */

import { assert, assertEquals, AssertionError, assertRejects } from "@std/assert";
import fc from "fast-check";
import { stringifyEvent } from "../../encode.ts";
import { type Published, readPublished } from "../../server/publish.ts";
import { within } from "../fault/real_time.ts";
import { concat, countedStream, property, raw, settle, utf8 } from "../helpers.ts";

const JSON_TYPE = { "content-type": "application/json" };
const TEXT_TYPE = { "content-type": "text/plain" };
const BOUND = { maxBodySize: 65_536 };

function post(body: BodyInit | null, headers: HeadersInit = JSON_TYPE): Request {
  return new Request("http://sse.example/topics/a", { method: "POST", headers, body });
}

async function published(request: Request): Promise<Published> {
  const result = await readPublished(request, BOUND);
  if (!(result instanceof Response)) return result;
  throw new AssertionError(`Refused: ${result.status} ${await result.text()}`);
}

/** The refusal of a request. */
async function refused(request: Request, options = BOUND): Promise<Response> {
  const result = await readPublished(request, options);
  if (result instanceof Response) return result;
  throw new AssertionError(`Read ${JSON.stringify(result)}`);
}

// JSON

for (
  const [body, event] of [
    ['{"data":"hello"}', { data: "hello" }],
    [' {\r\n"data" : "hello" } ', { data: "hello" }],
    ['{"data":""}', { data: "" }],
    ['{"data":"é☃😀"}', { data: "é☃😀" }],
    ['{"data":"a\\nb\\u0000"}', { data: "a\nb\0" }],
    ['{"data":"{\\"a\\": 1}"}', { data: '{"a": 1}' }],
    ['{"data":"1","event":"tick","retry":5000}', { data: "1", event: "tick", retry: 5_000 }],
    ['{"data":"1","event":"","retry":0}', { data: "1", event: "", retry: 0 }],
    ['{"data":"1","retry":5e3}', { data: "1", retry: 5_000 }],
    ['{"data":"a","data":"b"}', { data: "b" }],
    // What is not a string goes as its text.
    ['{"data":{"a": [1, true, null, "é\\n"]}}', { data: '{"a":[1,true,null,"é\\n"]}' }],
    ['{"data":[]}', { data: "[]" }],
    ['{"data":null}', { data: "null" }],
    ['{"data":false}', { data: "false" }],
    ['{"data":0}', { data: "0" }],
    ['{"data":[12345678901234567890, 0.1234567890123456789, 1e400, -0, 1.0]}', {
      data: "[12345678901234567890,0.1234567890123456789,1e400,-0,1.0]",
    }],
    ['{"data":{"__proto__":1,"toString":2}}', { data: '{"__proto__":1,"toString":2}' }],
  ] as const
) {
  Deno.test(`readPublished reads ${body}`, async () => {
    assertEquals(await published(post(body)), { event });
  });
}

const ONLY = 'Cannot publish: the body must hold "data", "event" and "retry" only: received';

for (
  const [body, message] of [
    ["", "Cannot publish: the body must be JSON: "],
    ["{", "Cannot publish: the body must be JSON: "],
    ["data", "Cannot publish: the body must be JSON: "],
    ["{'data':1}", "Cannot publish: the body must be JSON: "],
    ['{"data":1}{}', "Cannot publish: the body must be JSON: "],
    ['{"data":"a\n"}', "Cannot publish: the body must be JSON: "],
    ["null", 'Cannot publish: the body must be a JSON object with "data"'],
    ["1", 'Cannot publish: the body must be a JSON object with "data"'],
    ['"hello"', 'Cannot publish: the body must be a JSON object with "data"'],
    ['[{"data":"a"}]', 'Cannot publish: the body must be a JSON object with "data"'],
    ["{}", 'Cannot publish: the body must hold "data"'],
    ['{"event":"a"}', 'Cannot publish: the body must hold "data"'],
    ['{"data":"a","id":"1"}', 'Cannot publish: "id" must not be given: the log gives the ids'],
    ['{"data":"a","id":null}', 'Cannot publish: "id" must not be given: the log gives the ids'],
    ['{"data":"a","comment":"b"}', `${ONLY} "comment"`],
    ['{"data":"a","Event":"b","Data":"c"}', `${ONLY} "Event", "Data"`],
    ['{"data":"a","__proto__":{"event":"b"}}', `${ONLY} "__proto__"`],
    ['{"data":"a","":0}', `${ONLY} ""`],
    ['{"data":"a","é\\n":0}', `${ONLY} "é\\n"`],
    ['{"data":"a","event":1}', 'Cannot publish: "event" must be a string'],
    ['{"data":"a","event":null}', 'Cannot publish: "event" must be a string'],
    ['{"data":"a","retry":"1"}', 'Cannot publish: "retry" must be an integer'],
    ['{"data":"a","retry":null}', 'Cannot publish: "retry" must be an integer'],
    ['{"data":"a","event":"a\\ndata: b"}', encoderSays({ event: "a\ndata: b" })],
    ['{"data":"a","event":"a\\rb"}', encoderSays({ event: "a\rb" })],
    ['{"data":"a","retry":-1}', encoderSays({ retry: -1 })],
    ['{"data":"a","retry":1.5}', encoderSays({ retry: 1.5 })],
    ['{"data":"a","retry":1e400}', encoderSays({ retry: Infinity })],
  ] as const
) {
  Deno.test(`readPublished answers 400 to ${JSON.stringify(body)}`, async () => {
    const response = await refused(post(body));
    const text = await response.text();
    assertEquals(response.status, 400);
    assert(text.startsWith(message), text);
    assertEquals(response.headers.get("content-type"), "text/plain; charset=utf-8");
    assertEquals(response.headers.get("cache-control"), "no-store");
  });
}

/** The message of the encoder. */
function encoderSays(event: { event?: string; retry?: number }): string {
  try {
    stringifyEvent(event);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new AssertionError("It can be encoded");
}

Deno.test("readPublished answers 400 to what is nested too deeply for the engine", async () => {
  const depth = 200_000;
  const body = `{"data":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const response = await refused(post(body), { maxBodySize: 1_000_000 });
  assertEquals(response.status, 400);
  assertEquals(await response.text(), 'Cannot publish: "data" is nested too deeply');
});

Deno.test("readPublished rounds numbers, and fails of nothing, where there is no JSON.rawJSON", async () => {
  const rawJSON = Object.getOwnPropertyDescriptor(JSON, "rawJSON");
  if (rawJSON === undefined) throw new AssertionError("There is none here");
  Reflect.deleteProperty(JSON, "rawJSON");
  try {
    const { event } = await published(post('{"data":[9007199254740993,"a",1.0]}'));
    assertEquals(event, { data: '[9007199254740992,"a",1]' });
  } finally {
    Object.defineProperty(JSON, "rawJSON", rawJSON);
  }
});

Deno.test("readPublished gives the JSON value that was posted", async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (data) => {
      const { event } = await published(post(JSON.stringify({ data })));
      assertEquals(event.data, typeof data === "string" ? data : JSON.stringify(data));
    }),
    property(),
  );
});

// Types

for (
  const [type, body, event] of [
    ["application/json", '{"data":"é"}', { data: "é" }],
    ["APPLICATION/Json ; Charset=UTF-8", '{"data":"é"}', { data: "é" }],
    ['application/json;charset="utf-8"', '{"data":"é"}', { data: "é" }],
    ["application/json;profile=x", '{"data":"é"}', { data: "é" }],
    ["text/plain", "é\n☃", { data: "é\n☃" }],
    ["text/plain;charset=utf-8", '{"data":1}', { data: '{"data":1}' }],
    ['text/plain; charset="ut\\f-8"', "é", { data: "é" }],
    ["text/plain; charset=UTF8", "", { data: "" }],
    ["text/plain; format=flowed", " a ", { data: " a " }],
  ] as const
) {
  Deno.test(`readPublished reads ${JSON.stringify(body)} as ${type}`, async () => {
    assertEquals(await published(post(body, { "content-type": type })), { event });
  });
}

for (
  const type of [
    undefined,
    "",
    "application",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=a",
    "application/octet-stream",
    "application/vnd.api+json",
    "text/json",
    "text/html",
    "text/event-stream",
    "text/plain; charset=iso-8859-1",
    "text/plain; charset=utf-16",
    'text/plain; charset="utf-16"',
    "application/json; charset=utf-16",
    "text/plain; charset=",
    "text/plain; charset",
    "text/plain; charset=latin1; charset=utf-8",
    "application/json, text/plain",
  ]
) {
  Deno.test(`readPublished answers 415 to the type ${type}`, async () => {
    const { stream, log } = countedStream([utf8('{"data":"a"}')]);
    const request = post(stream, type === undefined ? {} : { "content-type": type });
    const response = await refused(request);
    assertEquals(response.status, 415);
    assertEquals(response.headers.get("accept-post"), "application/json, text/plain");
    assertEquals(
      await response.text(),
      "Cannot publish: the body must be JSON or plain text, in UTF-8",
    );
    await settle();
    assertEquals([log.pulls, log.cancelled.length], [0, 1]);
  });
}

Deno.test("readPublished takes a request without a body for an empty one", async () => {
  assertEquals(await published(post(null, TEXT_TYPE)), { event: { data: "" } });
  assertEquals((await refused(post(null))).status, 400);
});

for (
  const [title, body] of [
    ["Latin-1", raw('{"data":"\xe9"}')],
    ["UTF-8 that is cut off", raw('{"data":"a"}\xe2\x98')],
    ["a surrogate", raw('{"data":"\xed\xa0\x80"}')],
    ["UTF-16", raw('{\0"\0d\0a\0t\0a\0"\0:\x001\0}\0\xff')],
  ] as const
) {
  Deno.test(`readPublished answers 400 to a body that is no UTF-8: ${title}`, async () => {
    for (const type of [JSON_TYPE, TEXT_TYPE]) {
      const response = await refused(post(body.slice().buffer, type));
      assertEquals(response.status, 400);
      assertEquals(await response.text(), "Cannot publish: the body must be UTF-8");
    }
  });
}

Deno.test("readPublished removes a BOM, as Request.text does", async () => {
  assertEquals(await published(post("\ufeffa", TEXT_TYPE)), { event: { data: "a" } });
  assertEquals(await published(post('\ufeff{"data":"a"}')), { event: { data: "a" } });
});

Deno.test("readPublished reads a body in whatever chunks it comes", async () => {
  const body = utf8(JSON.stringify({ data: "é☃😀".repeat(40), event: "é" }));
  for (const size of [1, 2, 3, 7, 100, body.length]) {
    const chunks = Array.from(
      { length: Math.ceil(body.length / size) },
      (_, i) => body.slice(i * size, (i + 1) * size),
    );
    const { stream } = countedStream([new Uint8Array(0), ...chunks]);
    assertEquals(await published(post(stream)), {
      event: { data: "é☃😀".repeat(40), event: "é" },
    });
  }
});

// Size

for (const size of [0, 1, 10, 1_000]) {
  Deno.test(`readPublished takes a body of ${size} bytes where as many may be, and no more`, async () => {
    const options = { maxBodySize: size };
    assertEquals(await readPublished(post("x".repeat(size), TEXT_TYPE), options), {
      event: { data: "x".repeat(size) },
    });
    const response = await refused(post("x".repeat(size + 1), TEXT_TYPE), options);
    assertEquals(response.status, 413);
    assertEquals(await response.text(), `Cannot publish: the body must be at most ${size} bytes`);
  });
}

Deno.test("readPublished counts bytes and not characters", async () => {
  assertEquals((await refused(post("☃☃", TEXT_TYPE), { maxBodySize: 5 })).status, 413);
});

Deno.test("readPublished judges by Content-Length before it reads", async () => {
  const { stream, log } = countedStream([utf8("a")]);
  const headers = { ...TEXT_TYPE, "content-length": "11" };
  assertEquals((await refused(post(stream, headers), { maxBodySize: 10 })).status, 413);
  await settle();
  assertEquals([log.pulls, log.cancelled.length], [0, 1]);
});

Deno.test("readPublished does not trust Content-Length", async () => {
  for (const length of ["0", "10", "-1", "x", ""]) {
    const { stream, log } = countedStream([new Uint8Array(10), new Uint8Array(1), utf8("a")]);
    const headers = { ...TEXT_TYPE, "content-length": length };
    assertEquals((await refused(post(stream, headers), { maxBodySize: 10 })).status, 413);
    await settle();
    assertEquals([log.pulls, log.cancelled.length], [2, 1]);
  }
});

Deno.test("readPublished reads no further than it must, and lets go of the body", async () => {
  function* endless(): Generator<Uint8Array> {
    for (;;) yield new Uint8Array(10);
  }
  const { stream, log } = countedStream(endless());
  const request = post(stream, TEXT_TYPE);
  assertEquals((await refused(request, { maxBodySize: 25 })).status, 413);
  await settle();
  assertEquals([log.pulls, log.cancelled.length], [3, 1]);
  assertEquals(request.body?.locked, false);
});

Deno.test("readPublished does not wait for a body that will not be cancelled", async () => {
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: () => new Promise(() => {}),
  });
  assertEquals((await refused(post(stream, TEXT_TYPE), { maxBodySize: 5 })).status, 413);
});

Deno.test("readPublished answers also where a cancel fails", async () => {
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: () => Promise.reject(new Error("no")),
  });
  assertEquals((await refused(post(stream, TEXT_TYPE), { maxBodySize: 5 })).status, 413);
});

Deno.test("readPublished lifts the bound at Infinity", async () => {
  const result = await readPublished(post("a", TEXT_TYPE), { maxBodySize: Infinity });
  assertEquals(result, { event: { data: "a" } });
});

for (const maxBodySize of [-1, NaN]) {
  Deno.test(`readPublished refuses a bound of ${maxBodySize}`, async () => {
    await assertRejects(() => readPublished(post("a", TEXT_TYPE), { maxBodySize }), RangeError);
  });
}

// Bodies that break, or are gone

Deno.test("readPublished answers 400 to a body that breaks off", async () => {
  for (const before of [[], [utf8('{"data":'), utf8("1")]]) {
    const chunks = [...before];
    const stream = new ReadableStream({
      pull(controller) {
        const chunk = chunks.shift();
        if (chunk === undefined) controller.error(new Error("reset"));
        else controller.enqueue(chunk);
      },
    });
    const response = await refused(post(stream));
    assertEquals(response.status, 400);
    assertEquals(await response.text(), "Cannot publish: the body broke off");
  }
});

Deno.test("readPublished refuses a body that was read, or that somebody reads", async () => {
  const used = post("a", TEXT_TYPE);
  await used.text();
  await assertRejects(() => readPublished(used, BOUND), TypeError, "it was read already");
  const cancelled = post("a", TEXT_TYPE);
  await cancelled.body?.cancel();
  await assertRejects(() => readPublished(cancelled, BOUND), TypeError, "it was read already");
  const locked = post("a", TEXT_TYPE);
  const reader = locked.body?.getReader();
  await assertRejects(() => readPublished(locked, BOUND), TypeError, "it was read already");
  await reader?.cancel();
});

// Idempotency-Key

for (
  const [header, key] of [
    ["a", "a"],
    ["8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ['"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ["!~", "!~"],
    ['a"b', 'a"b'],
    ["a\\b", "a\\b"],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ['"\\""', '"'],
    ["x".repeat(255), "x".repeat(255)],
    [`"${"x".repeat(255)}"`, "x".repeat(255)],
    [`"${'\\"'.repeat(255)}"`, '"'.repeat(255)],
    ["", undefined],
    ['"', undefined],
    ['""', undefined],
    ["a b", undefined],
    ["a, b", undefined],
    ['"a b"', undefined],
    ['"a", "b"', undefined],
    ['"a"b', undefined],
    ['"a";p=1', undefined],
    ['"a', undefined],
    ['"a\\"', undefined],
    ['"\\a"', undefined],
    ['"a"b"', undefined],
    ["é", undefined],
    ["a\tb", undefined],
    ["x".repeat(256), undefined],
    [`"${"x".repeat(256)}"`, undefined],
  ] as const
) {
  const outcome = key === undefined ? "refuses" : "reads";
  const shown = header.slice(0, 40);
  Deno.test(`readPublished ${outcome} Idempotency-Key ${shown} of ${header.length}`, async () => {
    const headers = { ...TEXT_TYPE, "idempotency-key": header };
    if (key !== undefined) {
      assertEquals(await published(post("a", headers)), {
        event: { data: "a" },
        idempotencyKey: key,
      });
      return;
    }
    const response = await refused(post("a", headers));
    assertEquals(response.status, 400);
    assertEquals(
      await response.text(),
      'Cannot publish: "Idempotency-Key" must be 1 to 255 visible ASCII characters, in quotes or without',
    );
  });
}

// Over a socket

/** A server that publishes nothing, and keeps what it read. */
function publishServer(maxBodySize: number) {
  const results: Promise<Published | Response>[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const result = readPublished(request, { maxBodySize });
    results.push(result);
    const answer = await result;
    return answer instanceof Response ? answer.clone() : Response.json(answer);
  });
  return {
    results,
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const START = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n";
const CHUNKED = utf8(`${START}Transfer-Encoding: chunked\r\n\r\n`);

/** What the peer sends up to its end, or up to where it resets. */
async function readAll(socket: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4_096);
  let text = "";
  try {
    for (;;) {
      const length = await socket.read(buffer);
      if (length === null) return text;
      text += decoder.decode(buffer.subarray(0, length), { stream: true });
    }
  } catch {
    return text;
  }
}

Deno.test("readPublished answers 413 to a body that never ends, and the peer can send no more", async () => {
  await using server = publishServer(10_000);
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const chunk = concat(utf8("400\r\n"), new Uint8Array(1_024).fill(0x78), utf8("\r\n"));
  const sending = (async () => {
    await socket.write(CHUNKED);
    for (;;) await socket.write(chunk);
  })();
  const sent = assertRejects(() => within(sending, 5_000, () => "It is still read"));
  const answer = await within(readAll(socket), 5_000, () => "There is no answer");
  assert(answer.startsWith("HTTP/1.1 413 "), answer);
  assert(answer.endsWith("the body must be at most 10000 bytes"), answer);
  const error = await sent;
  assert(
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset,
    `${error}`,
  );
});

Deno.test("readPublished answers 413 to a Content-Length before the body is there", async () => {
  await using server = publishServer(10_000);
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await socket.write(utf8(`${START}Content-Length: 10001\r\n\r\n`));
  const buffer = new Uint8Array(4_096);
  const length = await within(socket.read(buffer), 5_000, () => "There is no answer");
  const answer = new TextDecoder().decode(buffer.subarray(0, length ?? 0));
  assert(answer.startsWith("HTTP/1.1 413 "), answer);
});

for (
  const [title, message] of [
    ["a chunk", concat(CHUNKED, utf8("5\r\nhel"))],
    ["two chunks", concat(CHUNKED, utf8("5\r\nhello\r\n"))],
    ["a body of known length", utf8(`${START}Content-Length: 10\r\n\r\nhello`)],
  ] as const
) {
  Deno.test(`readPublished gives 400 where the peer leaves within ${title}`, async () => {
    await using server = publishServer(10_000);
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await socket.write(message);
    await socket.closeWrite();
    await within(readAll(socket), 5_000, () => "The server holds the connection");
    socket.close();
    const result = await server.results[0];
    if (!(result instanceof Response)) throw new AssertionError(`Read ${JSON.stringify(result)}`);
    assertEquals([result.status, await result.text()], [400, "Cannot publish: the body broke off"]);
  });
}

Deno.test("readPublished reads what fetch sends", async () => {
  await using server = publishServer(10_000);
  const url = `http://127.0.0.1:${server.port}/`;
  const headers = { "content-type": "application/json", "idempotency-key": '"k"' };
  const body = JSON.stringify({ data: { a: "é" }, event: "tick" });
  const answer = await fetch(url, { method: "POST", headers, body });
  assertEquals(await answer.json(), {
    event: { event: "tick", data: '{"a":"é"}' },
    idempotencyKey: "k",
  });
  const text = await fetch(url, { method: "POST", body: "é" });
  assertEquals(await text.json(), { event: { data: "é" } });
});
