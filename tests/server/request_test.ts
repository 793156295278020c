/** What a request for an event stream asks, and the headers of the answers. */

import { assert, assertEquals, AssertionError, assertThrows } from "@std/assert";
import fc from "fast-check";
import { connect } from "../../client.ts";
import { lastEventIdHeader } from "../../client/resume.ts";
import {
  acceptsEventStream,
  checkRequest,
  eventStreamHeaders,
  lastEventIdOf,
  MAX_LAST_EVENT_ID_LENGTH,
  refusal,
  tooMany,
} from "../../server/request.ts";
import { concat, property, raw, utf8 } from "../helpers.ts";

function get(headers: HeadersInit = {}, query = ""): Request {
  return new Request(`http://sse.example/${query}`, { headers });
}

// Accept

for (
  const [accept, accepts] of [
    [undefined, true],
    ["", true],
    [" ", true],
    [",, ,", true],
    // What covers it
    ["text/event-stream", true],
    ["TEXT/Event-STREAM", true],
    ["text/*", true],
    ["*/*", true],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true],
    ["application/json, text/event-stream", true],
    [" ,\ttext/event-stream\t, ,", true],
    ["text/html,\ttext/event-stream;q=0.001", true],
    // What does not
    ["text/html", false],
    ["application/json, text/plain", false],
    ["text/event-streams", false],
    ["application/event-stream", false],
    ["text/event", false],
    ["*/event-stream", false],
    ["application/*", false],
    // Weights
    ["text/event-stream;q=1", true],
    ["text/event-stream;q=1.000", true],
    ["text/event-stream;q=0.", false],
    ["text/event-stream;q=0", false],
    ["text/event-stream;q=0.000", false],
    [",text/event-stream;q=0", false],
    ["text/event-stream;Q=0", false],
    ["text/event-stream \t;\t q=0", false],
    ["text/event-stream;;q=0;", false],
    ["text/event-stream;q=0;q=1", false],
    ["*/*;q=0", false],
    ["text/*;q=0", false],
    // The most specific range decides, in any order.
    ["text/event-stream;q=0, */*", false],
    ["*/*, text/event-stream;q=0", false],
    ["text/*;q=0, */*", false],
    ["*/*, text/*;q=0", false],
    ["text/event-stream;q=0, text/*", false],
    ["text/*, text/event-stream;q=0", false],
    ["text/*;q=0, text/event-stream", true],
    ["text/event-stream, text/*;q=0, */*;q=0", true],
    ["*/*;q=0, text/*", true],
    // Of the same ones the kindest does.
    ["text/event-stream;q=0, text/event-stream", true],
    ["text/event-stream, text/event-stream;q=0", true],
    // Parameters
    ["text/event-stream;charset=utf-8", true],
    ["text/event-stream; charset=utf-8; q=0", false],
    ["text/event-stream;q=0.5;ext", true],
    ['text/event-stream;x="a;q=0"', true],
    ['text/event-stream;x="a\\";q=0"', true],
    ['text/event-stream;x="a\\\\";q=0', false],
    ['text/html;x="a,text/event-stream,b"', false],
    ['text/html;x="\\",text/event-stream"', false],
    ['text/html;x="a\\\\", text/event-stream', true],
    ['text/html;x=""', false],
    // Garbage excludes nothing.
    ["text", true],
    ["text/html, image/gif, *; q=.2", true],
    ["text/html;q=high", true],
    ["text/event-stream;q=-1", true],
    ["text/event-stream;q=2", true],
    ["text/event-stream;q=0.0000", true],
    ["text/event-stream;q=", true],
    ["text/event-stream;q =0", true],
    ["text/event-stream;q= 0", true],
    ["text/event-stream;q=0, @", true],
    ["@, text/event-stream;q=0", true],
    ["text/event-stream;q=0 q", true],
    ["text/html/x", true],
    ["text /html", true],
    ["/", true],
    ["text/html text/plain", true],
    ['text/html;x="a', true],
    ['text/html;x="a"b', true],
    ['text/html;x="a\\', true],
    ['"text/html"', true],
  ] as const
) {
  Deno.test(`acceptsEventStream gives ${accepts} for ${JSON.stringify(accept)}`, () => {
    assertEquals(acceptsEventStream(get(accept === undefined ? {} : { accept })), accepts);
  });
}

Deno.test("acceptsEventStream takes several Accept headers for one list", () => {
  const accept = (...values: string[]) =>
    acceptsEventStream(get(values.map((value): [string, string] => ["accept", value])));
  assertEquals(accept("text/html", "text/event-stream"), true);
  assertEquals(accept("text/html", "text/event-stream;q=0"), false);
});

Deno.test("acceptsEventStream never throws, whatever the header", () => {
  const pieces = fc.constantFrom(
    ...'text/event-stream|*/*|text/*|;|,|q=0|q=1|=|"|\\|x| |\t|/|*|\xe9'.split("|"),
  );
  fc.assert(
    fc.property(fc.array(pieces), (parts) => {
      assertEquals(typeof acceptsEventStream(get({ accept: parts.join("") })), "boolean");
    }),
    property(),
  );
});

Deno.test("acceptsEventStream reads a header of a megabyte in one pass", () => {
  const megabyte = 1_000_000;
  for (const text of [",", ";", " ", "; ", '"', '\\"', "a", "a/a,", "a/a;a=a;", 'a/a;a="']) {
    const accept = `x/y${text.repeat(megabyte / text.length)}`;
    const start = performance.now();
    acceptsEventStream(get({ accept }));
    // What is quadratic takes minutes.
    assert(performance.now() - start < 5_000, JSON.stringify(text));
  }
});

// Last-Event-ID

const MAX = MAX_LAST_EVENT_ID_LENGTH;

/** Bytes, one character each, as `Headers` give them. */
function bytes(text: string): string {
  return Array.from(utf8(text), (byte) => String.fromCharCode(byte)).join("");
}

for (
  const [title, header, id] of [
    ["none", undefined, ""],
    ["an empty one", "", ""],
    ["ASCII", "e1.42", "e1.42"],
    ["spaces and commas", "a, b", "a, b"],
    ["a tab within, which a header can carry", "a\tb", "a\tb"],
    ["UTF-8 of two, three and four bytes", bytes("é☃😀"), "é☃😀"],
    ["a BOM, which is a part of it", bytes("\ufeffa"), "\ufeffa"],
    ["a replacement character", bytes("\ufffd"), "\ufffd"],
    ["a C1 control, which is text", bytes("\x85"), "\x85"],
    ["what a percent sign is in", "100%41+", "100%41+"],
    ["Latin-1", "a\xe9b", undefined],
    ["a byte that is never UTF-8", "\xff", undefined],
    ["UTF-8 that is cut off", bytes("☃").slice(0, 2), undefined],
    ["UTF-8 that is too long", "\xc0\xaf", undefined],
    ["a surrogate in UTF-8", "\xed\xa0\x80", undefined],
    ["what is past Unicode", "\xf4\x90\x80\x80", undefined],
    ["a C0 control", "a\x01b", undefined],
    ["the last of the C0 controls", "a\x1fb", undefined],
    ["DEL", "a\x7fb", undefined],
    ["as much as there may be", "x".repeat(MAX), "x".repeat(MAX)],
    ["more than there may be", "x".repeat(MAX + 1), undefined],
    ["as much as there may be in long UTF-8", bytes("☃".repeat(MAX)), "☃".repeat(MAX)],
    ["more than there may be in long UTF-8", bytes("☃".repeat(MAX + 1)), undefined],
  ] as const
) {
  const outcome = id === undefined ? "refuses" : "reads";
  Deno.test(`lastEventIdOf ${outcome} a header with ${title}`, () => {
    assertEquals(lastEventIdOf(get(header === undefined ? {} : { "last-event-id": header })), id);
  });
}

for (
  const [query, id] of [
    ["", ""],
    ["?", ""],
    ["?other=1", ""],
    ["?lastEventId", ""],
    ["?lastEventId=", ""],
    ["?lastEventId=e1.42", "e1.42"],
    ["?last_event_id=e1.42", "e1.42"],
    ["?evs_last_event_id=e1.42", "e1.42"],
    ["?x=1&lastEventId=e1.42&y=2", "e1.42"],
    // The first name that has one counts, in the order of the names.
    ["?evs_last_event_id=c&last_event_id=b&lastEventId=a", "a"],
    ["?evs_last_event_id=c&last_event_id=b", "b"],
    ["?evs_last_event_id=c&last_event_id=&lastEventId=", "c"],
    ["?lastEventId=&lastEventId=a&lastEventId=b", "a"],
    // Names are exact.
    ["?LASTEVENTID=a", ""],
    ["?xlastEventId=a&lastEventIds=b", ""],
    // Encodings
    ["?lastEventId=a+b%20c%2Bd%26e%3Df=g", "a b c+d&e=f=g"],
    ["?lastEventId=%C3%A9%e2%98%83%F0%9F%98%80", "é☃😀"],
    ["?lastEventId=é☃", "é☃"],
    ["?lastEventId=%EF%BB%BFa", "\ufeffa"],
    ["?lastEventId=%EF%BF%BD", "\ufffd"],
    ["?lastEventId=%20a%09b%20", " a\tb "],
    ["?lastEventId=a?b", "a?b"],
    ["#?lastEventId=a", ""],
    ["?lastEventId=a#b", "a"],
    ["?lastEventId=%E9", undefined],
    ["?lastEventId=%FF", undefined],
    ["?lastEventId=%ED%A0%80", undefined],
    ["?lastEventId=%", undefined],
    ["?lastEventId=%zz", undefined],
    ["?lastEventId=a%00b", undefined],
    ["?lastEventId=a%0Ab", undefined],
    ["?lastEventId=a%0Db", undefined],
    ["?lastEventId=a%01b", undefined],
    ["?lastEventId=a%7Fb", undefined],
    ["?lastEventId=%FF&last_event_id=a", undefined],
    [`?lastEventId=${"x".repeat(MAX)}`, "x".repeat(MAX)],
    [`?lastEventId=${"x".repeat(MAX + 1)}`, undefined],
  ] as const
) {
  const outcome = id === undefined ? "refuses" : "reads";
  Deno.test(`lastEventIdOf ${outcome} the query ${JSON.stringify(query.slice(0, 60))}`, () => {
    assertEquals(lastEventIdOf(get({}, query)), id);
  });
}

Deno.test("lastEventIdOf takes the header before the query, unless it is empty", () => {
  const query = "?lastEventId=query";
  assertEquals(lastEventIdOf(get({ "last-event-id": "header" }, query)), "header");
  assertEquals(lastEventIdOf(get({ "last-event-id": "\xff" }, query)), undefined);
  assertEquals(lastEventIdOf(get({ "last-event-id": "" }, query)), "query");
});

/** A request of a runtime that breaks the Fetch Standard, for no other can be made of it. */
function strange(header: string, url = "http://sse.example/"): Request {
  const request = get();
  return new Proxy(request, {
    get: (_, name) => name === "headers" ? { get: () => header } : name === "url" ? url : undefined,
  });
}

Deno.test("lastEventIdOf takes a header as it is where the runtime has decoded it", () => {
  assertEquals(lastEventIdOf(strange("é☃")), "é☃");
  assertEquals(lastEventIdOf(strange("☃\ud800")), undefined);
  assertEquals(lastEventIdOf(strange("☃\0")), undefined);
  assertEquals(lastEventIdOf(strange("☃".repeat(MAX))), "☃".repeat(MAX));
  assertEquals(lastEventIdOf(strange("☃".repeat(MAX + 1))), undefined);
});

Deno.test("lastEventIdOf refuses a lone surrogate in a query that the runtime left as it came", () => {
  assertEquals(lastEventIdOf(strange("", "http://a/?lastEventId=a\ud800")), undefined);
});

Deno.test("lastEventIdOf reads each id that the client can send", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 50 }), (id) => {
      const header = lastEventIdHeader(id);
      if (header !== undefined) assertEquals(lastEventIdOf(get({ "last-event-id": header })), id);
    }),
    property(),
  );
});

/** A server that tells of each request what `lastEventIdOf` gave. */
function idServer(): { port: number; ids: (string | undefined)[] } & AsyncDisposable {
  const ids: (string | undefined)[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    ids.push(lastEventIdOf(request));
    return new Response(null, { status: 204 });
  });
  return {
    ids,
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Sends bytes and reads until the peer closes. */
async function send(port: number, message: Uint8Array): Promise<void> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  let sent = 0;
  while (sent < message.length) sent += await socket.write(message.subarray(sent));
  const buffer = new Uint8Array(1_024);
  while (await socket.read(buffer) !== null);
}

Deno.test("lastEventIdOf reads the bytes that a socket carried", async () => {
  await using server = idServer();
  const headers = [
    utf8("é☃😀"),
    utf8("\ufeffa"),
    utf8("  a b\t"),
    utf8("a\tb"),
    raw("a\xe9b"),
    raw("\xff"),
    raw("\xed\xa0\x80"),
    utf8("a\r\nLast-Event-ID: b"),
    utf8("x".repeat(MAX)),
    utf8("x".repeat(MAX + 1)),
  ];
  for (const header of headers) {
    const start = utf8("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nLast-Event-ID: ");
    await send(server.port, concat(start, header, utf8("\r\n\r\n")));
  }
  assertEquals(server.ids, [
    "é☃😀",
    "\ufeffa",
    "a b",
    "a\tb",
    undefined,
    undefined,
    undefined,
    "a, b",
    "x".repeat(MAX),
    undefined,
  ]);
});

Deno.test("lastEventIdOf reads the query of a request whose URL is none", async () => {
  await using server = idServer();
  for (const [target, host] of [["/?lastEventId=a", "["], ["/?lastEventId=é", "a b:99999"]]) {
    await send(
      server.port,
      utf8(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
    );
  }
  assertEquals(server.ids, ["a", "é"]);
});

Deno.test("lastEventIdOf reads what connect sends, by header and by query", async () => {
  await using server = idServer();
  const url = `http://127.0.0.1:${server.port}/`;
  const id = "\ufeffé☃😀, %+&=";
  await Array.fromAsync(connect(url, { lastEventId: id }));
  await Array.fromAsync(connect(url, { lastEventId: ` ${id} `, lastEventIdParam: "lastEventId" }));
  assertEquals(server.ids, [id, ` ${id} `]);
});

// The headers of answers

Deno.test("eventStreamHeaders says what it is, and goes past caches and buffers", () => {
  assertEquals([...eventStreamHeaders()], [
    ["cache-control", "no-cache, no-transform"],
    ["content-type", "text/event-stream"],
    ["x-accel-buffering", "no"],
  ]);
});

Deno.test("eventStreamHeaders gives the caller's headers before its own", () => {
  const given = new Headers({
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "private, no-store",
    "X-Accel-Buffering": "yes",
    "X-A": "b",
  });
  given.append("set-cookie", "a=1");
  given.append("set-cookie", "b=2");
  const before = [...given];
  const headers = eventStreamHeaders(given);
  assertEquals([...headers], before);
  // A caller's headers are its own.
  headers.set("x-a", "c");
  assertEquals([...given], before);
  assertEquals(eventStreamHeaders([["x-a", "b"]]).get("x-a"), "b");
  assertEquals(eventStreamHeaders({ "x-a": "b" }).get("content-type"), "text/event-stream");
});

for (
  const [name, why] of [
    ["Connection", "the connection"],
    ["Keep-Alive", "the connection"],
    ["Proxy-Connection", "the connection"],
    ["TE", "the connection"],
    ["Trailer", "the connection"],
    ["Transfer-Encoding", "the connection"],
    ["Upgrade", "the connection"],
    ["Content-Length", "the length"],
  ] as const
) {
  Deno.test(`eventStreamHeaders refuses ${name}`, () => {
    const error = assertThrows(() => eventStreamHeaders({ [name]: "1" }), TypeError);
    assert(error.message.includes(`"${name.toLowerCase()}"`), error.message);
    assert(error.message.includes(why), error.message);
  });
}

Deno.test("eventStreamHeaders refuses what no header can be", () => {
  assertThrows(() => eventStreamHeaders({ "x a": "b" }), TypeError);
  assertThrows(() => eventStreamHeaders({ "x-a": "b\nc" }), TypeError);
});

Deno.test("refusal gives plain text that no cache keeps", async () => {
  const response = refusal(401, "Who é", { "www-authenticate": "Bearer" });
  assertEquals(response.status, 401);
  assertEquals([...response.headers], [
    ["cache-control", "no-store"],
    ["content-type", "text/plain; charset=utf-8"],
    ["www-authenticate", "Bearer"],
  ]);
  assertEquals(await response.text(), "Who é");
});

for (const [given, sent] of [[5, "5"], [0.2, "1"], [0, "1"], [-3, "1"], [1.2, "2"]] as const) {
  Deno.test(`tooMany asks to wait ${sent} s for ${given}`, async () => {
    const response = tooMany(given);
    assertEquals([response.status, response.headers.get("retry-after")], [503, sent]);
    assertEquals(response.headers.get("cache-control"), "no-store");
    assertEquals(await response.text(), "Too many readers, try again later");
  });
}

Deno.test("tooMany says what it is told", async () => {
  assertEquals(await tooMany(1, "Full").text(), "Full");
});

Deno.test("tooMany refuses a wait that no header can say", () => {
  for (const seconds of [NaN, Infinity, 1e21]) assertThrows(() => tooMany(seconds), RangeError);
});

/** The refusal of a request, as status and text. */
async function refused(request: Request): Promise<[number, string]> {
  const response = checkRequest(request);
  if (!(response instanceof Response)) throw new AssertionError(`Read ${response.lastEventId}`);
  return [response.status, await response.text()];
}

Deno.test("checkRequest gives the last event ID", () => {
  assertEquals(checkRequest(get()), { lastEventId: "" });
  const headers = { accept: "text/event-stream", "last-event-id": bytes("é") };
  assertEquals(checkRequest(get(headers)), { lastEventId: "é" });
});

Deno.test("checkRequest leaves the method to others", () => {
  for (const method of ["HEAD", "POST", "DELETE"]) {
    assertEquals(checkRequest(new Request("http://a/", { method })), { lastEventId: "" });
  }
});

Deno.test("checkRequest answers 406 where Accept excludes an event stream, and names the type", async () => {
  assertEquals(await refused(get({ accept: "text/html", "last-event-id": "\xff" })), [
    406,
    'Cannot send events: "Accept" excludes "text/event-stream", the only type there is',
  ]);
});

Deno.test("checkRequest answers 400 where the last event ID is garbage", async () => {
  for (const request of [get({ "last-event-id": "\xff" }), get({}, "?last_event_id=%00")]) {
    assertEquals(await refused(request), [
      400,
      "Cannot resume: the last event ID must be UTF-8 without control characters, of at most 8192 UTF-16 code units",
    ]);
  }
});

Deno.test("refusal, tooMany and checkRequest keep the headers of the owner but for type and caching", () => {
  const given = { "access-control-allow-origin": "*", "content-type": "a/b", "cache-control": "x" };
  const checked = checkRequest(
    new Request("http://localhost/", { headers: { accept: "image/png" } }),
    given,
  );
  const garbage = checkRequest(new Request("http://localhost/?lastEventId=%00"), given);
  for (const response of [refusal(403, "no", given), tooMany(1, "no", given), checked, garbage]) {
    const { headers } = response instanceof Response ? response : new Response();
    assertEquals(headers.get("access-control-allow-origin"), "*");
    assertEquals(headers.get("content-type"), "text/plain; charset=utf-8");
    assertEquals(headers.get("cache-control"), "no-store");
  }
});
