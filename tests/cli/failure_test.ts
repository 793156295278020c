/** `explain`: what is told of a failure, and with which exit code. */

import { assertEquals, assertMatch } from "@std/assert";
import { explain, Failure, UsageError, withCauses } from "../../cli/failure.ts";
import {
  EventTooLargeError,
  RedirectError,
  ResponseError,
  RetriesExhaustedError,
  SseError,
  TimeoutError,
  TruncatedError,
} from "../../errors.ts";
import { connect } from "../../client.ts";

const REFUSAL = new ResponseError("ERR_SSE_STATUS", "Cannot read events: 404", {
  status: 404,
  headers: new Headers(),
  body: "",
});

const CODES: [error: Error, exitCode: number][] = [
  [new Failure("Cannot a: b"), 1],
  [new Failure("Cannot a: b", { exitCode: 4 }), 4],
  [new UsageError("Cannot a: b"), 2],
  [REFUSAL, 3],
  [new TimeoutError("idle", 10), 4],
  [new TruncatedError("Cannot finish: cut"), 1],
  [new RedirectError("Cannot follow", "http://a/", "http://b/"), 1],
  // What it was tried for in vain.
  [new RetriesExhaustedError(3, { cause: REFUSAL }), 3],
  [new RetriesExhaustedError(3, { cause: new TimeoutError("connect", 10) }), 4],
  [new RetriesExhaustedError(3), 1],
  [Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" }), 1],
  [new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") }), 1],
  [new TypeError("error sending request for url"), 1],
  [new RangeError('Cannot connect: "maxAttempts" must be a number'), 2],
];

for (const [error, exitCode] of CODES) {
  const { cause } = error;
  const because = cause instanceof Error ? ` of ${cause.name}` : "";
  Deno.test(`explain ends ${error.name}${because} "${error.message.slice(0, 20)}" with ${exitCode}`, () => {
    assertEquals(explain(error)?.exitCode, exitCode);
  });
}

const FAULTS: unknown[] = [
  new TypeError("Cannot read properties of undefined (reading 'a')"),
  new TypeError("a is not a function"),
  new Error("Cannot be"),
  new DOMException("The operation was aborted", "AbortError"),
  "text",
  undefined,
];

for (const fault of FAULTS) {
  Deno.test(`explain has no sentence for ${fault}, which is a fault of ours`, () => {
    assertEquals(explain(fault), undefined);
  });
}

Deno.test("explain calls options by their names on the command line", () => {
  const { sentence = "" } = explain(new RetriesExhaustedError(2)) ?? {};
  assertEquals(sentence.includes("raise --retry to try longer"), true);
  const large = explain(new EventTooLargeError(5));
  assertEquals(large?.sentence.includes("raise --max-event-size if"), true);
});

Deno.test("explain finds no name of an option of the library in what connect says", async () => {
  const fetch = () =>
    Promise.resolve(
      new Response("data: a", { headers: { "content-type": "text/event-stream" } }),
    );
  for (
    const options of [
      { until: () => false, retry: false },
      { maxEventSize: 2, retry: false },
      { retry: { maxAttempts: 1 } },
    ] as const
  ) {
    const cause = await failureOf(connect("http://127.0.0.1/", { fetch, ...options }));
    assertEquals(/"[a-z]+[A-Z]?\w*"/.test(explain(cause)?.sentence ?? ""), false, String(cause));
  }
});

async function failureOf(events: AsyncIterable<unknown>): Promise<unknown> {
  try {
    await Array.fromAsync(events);
  } catch (error) {
    return error;
  }
}

Deno.test("withCauses adds what each cause says that is new, on one line", () => {
  const socket = new Error("connect ECONNREFUSED\n 127.0.0.1:1");
  const fetch = new TypeError("fetch failed", { cause: socket });
  const error = new SseError("ERR_SSE_NETWORK", "Cannot read: fetch failed", { cause: fetch });
  assertEquals(withCauses(error), "Cannot read: fetch failed: connect ECONNREFUSED 127.0.0.1:1");
});

Deno.test("withCauses tells what a server gives as its reason, but no page and no more than a line", () => {
  const refused = (body: string) => {
    const headers = new Headers();
    const init = { status: 403, headers, body };
    const error = new ResponseError("ERR_SSE_STATUS", "Cannot read: received 403", init);
    return withCauses(new RetriesExhaustedError(1, { cause: error }));
  };
  assertMatch(refused('{"error":\n "key"}\n'), /: Cannot read: received 403: \{"error": "key"\}$/);
  assertMatch(refused(" <html>no"), /received 403$/);
  assertMatch(refused("x".repeat(300)), /received 403: x{200}…$/);
});

Deno.test("withCauses tells of the first of many addresses, and of a code without a message", () => {
  const refused = Object.assign(new Error(""), { code: "ECONNREFUSED" });
  const all = new AggregateError([refused, refused], "");
  assertEquals(
    withCauses(new TypeError("fetch failed", { cause: all })).endsWith("ECONNREFUSED"),
    true,
  );
});

Deno.test("withCauses ends where causes go round", () => {
  const one = new Error("one");
  const two = new Error("two", { cause: one });
  one.cause = two;
  assertEquals(withCauses(one), "one: two");
});
