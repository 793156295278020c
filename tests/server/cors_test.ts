/** What pages of other origins may read and send. */

import { assertEquals, AssertionError, assertStrictEquals, assertThrows } from "@std/assert";
import { Cors, type CorsOptions } from "../../server/cors.ts";
import { countedStream, utf8 } from "../helpers.ts";

const APP = "https://app.example";
const OTHER = "https://other.example";

function request(origin?: string, method = "GET", headers: Record<string, string> = {}): Request {
  if (origin !== undefined) headers = { ...headers, origin };
  return new Request("https://sse.example/", { method, headers });
}

function preflight(origin: string): Request {
  return request(origin, "OPTIONS", { "access-control-request-method": "GET" });
}

/** The headers that `apply` adds to an answer without any. */
function added(options: CorsOptions, origin?: string): Record<string, string> {
  return Object.fromEntries(new Cors(options).apply(request(origin), new Response(null)).headers);
}

const EXPOSE = { "access-control-expose-headers": "Retry-After" };
const VARY = { vary: "Origin" };
const ANY = { "access-control-allow-origin": "*" };

// Origins

for (
  const [title, options, origin, expected] of [
    ["any", { origin: true }, APP, "*"],
    ["any, as a star", { origin: "*" }, APP, "*"],
    ["any, to a page without one", { origin: true }, "null", "*"],
    // A cache may give it to a page.
    ["any, to no page", { origin: true }, undefined, "*"],
    ["one, which it is", { origin: APP }, APP, APP],
    ["one, which it is not", { origin: APP }, OTHER, undefined],
    ["one, to no page", { origin: APP }, undefined, undefined],
    ["several, of which it is one", { origin: [OTHER, APP] }, APP, APP],
    ["several, of which it is none", { origin: [OTHER] }, APP, undefined],
    ["none", { origin: [] }, APP, undefined],
    ["one with a port", { origin: "http://a:81" }, "http://a:81", "http://a:81"],
    ["those that a function takes", { origin: (asked) => asked.endsWith(".example") }, APP, APP],
    ["not those that it does not", { origin: () => false }, APP, undefined],
    ["those of sandboxes, if it says so", { origin: (asked) => asked === "null" }, "null", "null"],
  ] as [string, CorsOptions, string | undefined, string | undefined][]
) {
  Deno.test(`Cors allows ${title}`, () => {
    assertEquals(added(options, origin), {
      ...expected === undefined ? {} : { "access-control-allow-origin": expected, ...EXPOSE },
      ...expected === "*" ? {} : VARY,
    });
  });
}

for (
  const other of [
    "http://app.example",
    "https://app.example:8443",
    "https://APP.example",
    "https://app.example/",
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://app.exampl",
    "null",
    "",
    "*",
  ]
) {
  Deno.test(`Cors does not take ${JSON.stringify(other)} for ${APP}`, () => {
    assertEquals(added({ origin: APP, credentials: true }, other), VARY);
  });
}

Deno.test("Cors takes nothing but true of a function for a yes", () => {
  // An async function is a mistake that would allow all.
  const origin = (() => Promise.resolve(false)) as unknown as () => boolean;
  assertEquals(added({ origin }, APP), VARY);
});

Deno.test("Cors asks the function for nothing where there is no origin", () => {
  const origin = () => {
    throw new AssertionError("It was asked");
  };
  assertEquals(added({ origin }), VARY);
});

Deno.test("Cors allows credentials to those that are named, and to nobody else", () => {
  const credentials = true;
  for (const origin of [APP, [APP], (asked: string) => asked === APP]) {
    assertEquals(added({ origin, credentials }, APP), {
      "access-control-allow-origin": APP,
      "access-control-allow-credentials": "true",
      ...EXPOSE,
      ...VARY,
    });
    assertEquals(added({ origin, credentials }, OTHER), VARY);
    assertEquals(added({ origin, credentials }), VARY);
  }
});

// Options

for (const origin of [true, "*"] as const) {
  Deno.test(`Cors refuses credentials of any origin: ${origin}`, () => {
    assertThrows(() => new Cors({ origin, credentials: true }), TypeError, '"credentials"');
  });
}

for (
  const origin of [
    "",
    "null",
    "app.example",
    "https://app.example/",
    "https://app.example/path",
    "https://app.example?a",
    "https://app.example#a",
    "https://app.example:443",
    "http://app.example:80",
    "https://APP.example",
    "HTTPS://app.example",
    "https://é.example",
    "https://user@app.example",
    "https://*.example",
    "https://a b",
    "https://[",
    "https://",
    " https://app.example",
  ]
) {
  Deno.test(`Cors refuses ${JSON.stringify(origin)}, which no browser sends`, () => {
    for (const given of [origin, [APP, origin]]) {
      const error = assertThrows(() => new Cors({ origin: given }), TypeError);
      assertEquals(
        error.message,
        `Cannot allow other origins: "origin" must be as browsers send it, such as "https://app.example": received "${origin}"`,
      );
    }
  });
}

Deno.test("Cors refuses a star among others, for it would stand for all of them", () => {
  assertThrows(() => new Cors({ origin: ["*"] }), TypeError, 'received "*"');
});

for (const origin of [undefined, null, false, 1, {}] as unknown[]) {
  Deno.test(`Cors refuses ${JSON.stringify(origin)} for an origin`, () => {
    assertThrows(() => new Cors({ origin } as CorsOptions), TypeError, '"origin"');
  });
}

for (
  const origin of [
    "http://127.0.0.1:8080",
    "https://[::1]:8443",
    "https://xn--9ca.example",
    "capacitor://localhost",
    "chrome-extension://abcdefghijklmnop",
  ]
) {
  Deno.test(`Cors takes ${origin}, which browsers send`, () => {
    assertEquals(added({ origin }, origin)["access-control-allow-origin"], origin);
  });
}

for (const maxAge of [-1, NaN, Infinity, "1" as unknown as number]) {
  Deno.test(`Cors refuses the ${typeof maxAge} ${maxAge} for a maxAge`, () => {
    assertThrows(() => new Cors({ origin: true, maxAge }), RangeError, '"maxAge"');
  });
}

// Preflights

Deno.test("Cors.preflight says what may be sent", () => {
  const response = new Cors({ origin: APP, credentials: true }).preflight(preflight(APP));
  assertEquals([response?.status, response?.body], [204, null]);
  assertEquals(Object.fromEntries(response?.headers ?? []), {
    "access-control-allow-origin": APP,
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers":
      "Last-Event-ID, Content-Type, Authorization, Idempotency-Key, Cache-Control",
    "access-control-max-age": "7200",
    ...VARY,
  });
});

Deno.test("Cors.preflight says nothing to an origin that may not", () => {
  const response = new Cors({ origin: APP }).preflight(preflight(OTHER));
  assertEquals(response?.status, 204);
  assertEquals([...response?.headers ?? []], [["vary", "Origin"]]);
});

Deno.test("Cors.preflight allows any with a star", () => {
  const { headers } = new Cors({ origin: true, maxAge: 0 }).preflight(preflight(APP)) ??
    new Response();
  assertEquals(headers.get("access-control-allow-origin"), "*");
  assertEquals(headers.get("access-control-max-age"), "0");
  assertEquals(headers.get("vary"), null);
});

Deno.test("Cors.preflight leaves all other requests alone", () => {
  const cors = new Cors({ origin: APP });
  assertStrictEquals(cors.preflight(request(APP, "OPTIONS")), undefined);
  for (const method of ["GET", "POST"]) {
    const asked = request(APP, method, { "access-control-request-method": "GET" });
    assertStrictEquals(cors.preflight(asked), undefined);
  }
});

// Answers

Deno.test("Cors.apply gives back the same answer, its body not touched", async () => {
  const { stream, log } = countedStream([utf8("a")]);
  const response = new Response(stream, { headers: { "x-a": "b" } });
  const answer = new Cors({ origin: APP }).apply(request(APP), response);
  assertStrictEquals(answer, response);
  assertEquals([stream.locked, log.pulls], [false, 0]);
  assertEquals(answer.headers.get("x-a"), "b");
  assertEquals(answer.headers.get("access-control-allow-origin"), APP);
  assertEquals(await answer.text(), "a");
});

Deno.test("Cors.apply gives an answer whose headers cannot be changed others, and the same body", async () => {
  const { stream, log } = countedStream([utf8("a")]);
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response(stream, { status: 203, headers: { "x-a": "b", ...ANY } }),
  );
  const fetched = await fetch(`http://127.0.0.1:${server.addr.port}/`);
  assertThrows(() => fetched.headers.set("x-a", "c"), TypeError);
  const cors = new Cors({ origin: APP });
  const answer = cors.apply(request(APP), fetched);
  assertStrictEquals(answer.body, fetched.body);
  assertEquals([answer.body?.locked, answer.status], [false, 203]);
  assertEquals(answer.headers.get("x-a"), "b");
  assertEquals(answer.headers.get("access-control-allow-origin"), APP);
  assertEquals(answer.headers.get("vary"), "Origin");
  const refused = cors.apply(request(OTHER), fetched);
  assertEquals(refused.headers.get("access-control-allow-origin"), null);
  assertEquals(await answer.text(), "a");
  assertEquals(log.cancelled, []);
});

Deno.test("Cors.apply takes a redirect, which has no body", () => {
  const answer = new Cors({ origin: true }).apply(request(APP), Response.redirect(APP, 303));
  assertEquals([answer.status, answer.headers.get("location")], [303, `${APP}/`]);
  assertEquals(answer.headers.get("access-control-allow-origin"), "*");
});

Deno.test("Cors.apply adds to Vary and to what is exposed, once", () => {
  const headers = { vary: "Accept", "access-control-expose-headers": "X-A" };
  const cors = new Cors({ origin: APP });
  let answer = new Response(null, { headers });
  for (let i = 0; i < 2; i++) answer = cors.apply(request(APP), answer);
  assertEquals(answer.headers.get("vary"), "Accept, Origin");
  assertEquals(answer.headers.get("access-control-expose-headers"), "X-A, Retry-After");
});

Deno.test("Cors.apply finds what is said already, in any case", () => {
  const headers = { vary: "accept,ORIGIN ", "access-control-expose-headers": "retry-after, x-a" };
  const answer = new Cors({ origin: APP }).apply(request(APP), new Response(null, { headers }));
  assertEquals(answer.headers.get("vary"), "accept,ORIGIN");
  assertEquals(answer.headers.get("access-control-expose-headers"), "retry-after, x-a");
});

Deno.test("Cors.apply does not take a part of a name for it", () => {
  const headers = { vary: "X-Origin" };
  const answer = new Cors({ origin: APP }).apply(request(APP), new Response(null, { headers }));
  assertEquals(answer.headers.get("vary"), "X-Origin, Origin");
});

Deno.test("Cors.apply replaces what the answer allowed by itself", () => {
  const headers = { ...ANY, "access-control-allow-credentials": "true" };
  const cors = new Cors({ origin: APP });
  const allowed = cors.apply(request(APP), new Response(null, { headers })).headers;
  assertEquals(allowed.get("access-control-allow-origin"), APP);
  assertEquals(allowed.get("access-control-allow-credentials"), null);
  const refused = cors.apply(request(OTHER), new Response(null, { headers })).headers;
  assertEquals(refused.get("access-control-allow-origin"), null);
  assertEquals(refused.get("access-control-allow-credentials"), null);
});

Deno.test("Cors.apply throws what the function throws, and has touched nothing", () => {
  const origin = () => {
    throw new SyntaxError("mine");
  };
  const response = new Response("a");
  assertThrows(() => new Cors({ origin }).apply(request(APP), response), SyntaxError);
  assertEquals(response.headers.get("vary"), null);
});
