/** When a lost connection is tried again, and after how long. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  completePolicy,
  decideRetry,
  MAX_TIMER,
  parseRetryAfter,
  type RetryContext,
  retryDelay,
  type RetryFunction,
  type RetryPolicy,
} from "../../client/retry.ts";
import {
  RedirectError,
  ResponseError,
  RetriesExhaustedError,
  SseError,
  TruncatedError,
} from "../../errors.ts";

/** The largest number that `Math.random` gives: the shortest wait. */
const ALMOST_ONE = 1 - 2 ** -53;
const HOUR = 3_600_000;

// completePolicy

Deno.test("completePolicy fills in every default, also for members that are undefined", () => {
  const defaults = {
    initialDelay: 1_000,
    maxDelay: 30_000,
    multiplier: 2,
    jitter: 1,
    maxAttempts: Infinity,
    resetAfter: 10_000,
    statuses: [],
    onEnd: "reconnect" as const,
  };
  assertEquals(completePolicy({}), defaults);
  const undefineds = Object.fromEntries(Object.keys(defaults).map((name) => [name, undefined]));
  assertEquals(completePolicy(undefineds), defaults);
});

Deno.test("completePolicy keeps what is given, up to the edges of each range", () => {
  const least: Required<RetryPolicy> = {
    initialDelay: 0,
    maxDelay: 0,
    multiplier: 1,
    jitter: false,
    maxAttempts: 1,
    resetAfter: 0,
    statuses: () => true,
    onEnd: "close",
  };
  const most: Required<RetryPolicy> = {
    initialDelay: Infinity,
    maxDelay: Infinity,
    multiplier: Infinity,
    jitter: 1,
    maxAttempts: Infinity,
    resetAfter: Infinity,
    statuses: [503],
    onEnd: "reconnect",
  };
  assertEquals(completePolicy(least), least);
  assertEquals(completePolicy(most), most);
  assertEquals(completePolicy({ jitter: 0 }).jitter, 0);
});

const REFUSED: [names: string[], values: unknown[], range: string][] = [
  [
    ["initialDelay", "maxDelay", "resetAfter"],
    [-1, NaN, -Infinity, "1", true, 1n],
    "a number from 0 up",
  ],
  [["multiplier", "maxAttempts"], [0.9, 0, -1, NaN, "2"], "a number from 1 up"],
  [["jitter"], [-0.1, NaN, true, "1"], "a number from 0 up"],
  [["jitter"], [1.1, Infinity], "from 0 to 1"],
];

Deno.test("completePolicy refuses numbers out of their range", () => {
  for (const [names, values, range] of REFUSED) {
    for (const name of names) {
      for (const value of values) {
        const message = `Cannot connect: "${name}" must be ${range}: received ${value}`;
        assertThrows(() => completePolicy({ [name]: value }), RangeError, message);
      }
    }
  }
});

Deno.test("completePolicy refuses statuses and an onEnd that are neither of what they may be", () => {
  for (const statuses of [503, "503", { 503: true }, new Set([503])]) {
    const policy = { statuses } as unknown as RetryPolicy;
    assertThrows(
      () => completePolicy(policy),
      TypeError,
      'Cannot connect: "statuses" must be an array of statuses or a function: received',
    );
  }
  for (const onEnd of ["retry", "", true]) {
    const policy = { onEnd } as unknown as RetryPolicy;
    assertThrows(
      () => completePolicy(policy),
      TypeError,
      `Cannot connect: "onEnd" must be "reconnect" or "close": received ${onEnd}`,
    );
  }
});

// retryDelay

type Row = [
  title: string,
  policy: RetryPolicy,
  context: Partial<RetryContext>,
  random: number,
  delay: number,
];

const DELAYS: Row[] = [
  ["the first wait grows from initialDelay", {}, {}, 0, 1_000],
  ["full jitter halves it at a random of 0.5", {}, {}, 0.5, 500],
  ["full jitter leaves 100 ms at a random just under 1", {}, {}, ALMOST_ONE, 100],
  ["full jitter leaves 100 ms of a long wait too", {}, { attempt: 9 }, ALMOST_ONE, 100],
  ["the second wait is multiplied once", {}, { attempt: 2 }, 0, 2_000],
  ["the fifth wait is multiplied four times", {}, { attempt: 5 }, 0, 16_000],
  ["the sixth wait is held by maxDelay", {}, { attempt: 6 }, 0, 30_000],
  ["jitter is taken off what maxDelay left", {}, { attempt: 6 }, 0.5, 15_000],
  ["a late attempt overflows nothing", {}, { attempt: 1e9 }, 0, 30_000],
  ["a multiplier of 1 grows nothing", { multiplier: 1 }, { attempt: 50 }, 0, 1_000],
  ["a multiplier of 3 grows by it", { multiplier: 3 }, { attempt: 3 }, 0, 9_000],
  ["a multiplier of 1.5 grows by it", { multiplier: 1.5 }, { attempt: 3 }, 0, 2_250],
  ["an infinite multiplier spares the first wait", { multiplier: Infinity }, {}, 0, 1_000],
  [
    "an infinite multiplier reaches maxDelay at once",
    { multiplier: Infinity },
    { attempt: 2 },
    0,
    30_000,
  ],
  ["maxDelay is met exactly", { maxDelay: 2_000 }, { attempt: 2 }, 0, 2_000],
  ["maxDelay cuts what grows past it", { maxDelay: 1_999 }, { attempt: 2 }, 0, 1_999],
  ["maxDelay holds initialDelay too", { maxDelay: 500 }, {}, 0, 500],
  ["jitter of 0 takes nothing off", { jitter: 0 }, {}, ALMOST_ONE, 1_000],
  ["jitter false takes nothing off", { jitter: false }, {}, ALMOST_ONE, 1_000],
  ["jitter of 0.25 takes a quarter off at most", { jitter: 0.25 }, {}, ALMOST_ONE, 750],
  ["jitter of 0.25 takes an eighth off at half", { jitter: 0.25 }, {}, 0.5, 875],
  ["an initialDelay under 100 ms is kept whole", { initialDelay: 30 }, {}, 0, 30],
  ["an initialDelay under 100 ms is not left to chance", { initialDelay: 30 }, {}, 0.5, 30],
  [
    "what grew past 100 ms is not shorter than it",
    { initialDelay: 30 },
    { attempt: 3 },
    ALMOST_ONE,
    100,
  ],
  ["an initialDelay of 0 waits nothing", { initialDelay: 0 }, {}, 0, 0],
  [
    "an initialDelay of 0 waits nothing at any attempt",
    { initialDelay: 0 },
    { attempt: 2_000 },
    0,
    0,
  ],
  [
    "an initialDelay of 0 waits as long as Retry-After at any attempt",
    { initialDelay: 0 },
    { attempt: 2_000, retryAfter: 5_000 },
    0,
    5_000,
  ],
  // T17
  ["retry takes the place of initialDelay", {}, { retry: 5_000 }, 0, 5_000],
  ["retry grows as initialDelay would", {}, { retry: 5_000, attempt: 3 }, 0, 20_000],
  ["retry grows up to maxDelay", {}, { retry: 5_000, attempt: 4 }, 0, 30_000],
  ["retry is left to chance as initialDelay is", {}, { retry: 5_000 }, 0.5, 2_500],
  ["retry may be longer than maxDelay", {}, { retry: 60_000 }, 0, 60_000],
  ["retry over maxDelay does not grow", {}, { retry: 60_000, attempt: 5 }, 0, 60_000],
  ["retry of 0 is 100 ms", {}, { retry: 0 }, 0, 100],
  ["retry of 0 is 100 ms at every chance", {}, { retry: 0 }, ALMOST_ONE, 100],
  ["retry of 0 grows from 100 ms", {}, { retry: 0, attempt: 4 }, 0, 800],
  ["retry of 99 is 100 ms", {}, { retry: 99 }, 0, 100],
  ["retry of 101 is 101 ms", {}, { retry: 101 }, 0, 101],
  ["retry is 100 ms at least, whatever initialDelay", { initialDelay: 5 }, { retry: 1 }, 0, 100],
  ["retry of 99999999999 is an hour", {}, { retry: 99_999_999_999 }, 0, HOUR],
  ["retry of an hour and 1 ms is an hour", {}, { retry: HOUR + 1 }, 0, HOUR],
  ["retry of 2^53 - 1 is an hour", {}, { retry: Number.MAX_SAFE_INTEGER, attempt: 9 }, 0, HOUR],
  // Retry-After
  ["Retry-After lengthens a shorter wait", {}, { retryAfter: 7_000 }, 0, 7_000],
  ["Retry-After is not left to chance", {}, { retryAfter: 7_000 }, ALMOST_ONE, 7_000],
  ["Retry-After does not shorten a longer wait", {}, { retryAfter: 700 }, 0, 1_000],
  ["Retry-After of 0 changes nothing", {}, { retryAfter: 0 }, 0, 1_000],
  ["Retry-After may be longer than maxDelay", {}, { retryAfter: 60_000 }, 0, 60_000],
  ["Retry-After is an hour at most", {}, { retryAfter: HOUR + 1 }, 0, HOUR],
  ["Retry-After without end is an hour", {}, { retryAfter: Infinity }, 0, HOUR],
  ["Retry-After does not shorten retry", {}, { retry: 5_000, retryAfter: 1_000 }, 0, 5_000],
  // Timers
  ["an initialDelay without end is held by maxDelay", { initialDelay: Infinity }, {}, 0, 30_000],
  [
    "what is waited for ever is the longest timer",
    { initialDelay: Infinity, maxDelay: Infinity },
    {},
    0,
    MAX_TIMER,
  ],
  [
    "half of for ever is the longest timer",
    { initialDelay: Infinity, maxDelay: Infinity },
    {},
    0.5,
    MAX_TIMER,
  ],
  [
    "a maxDelay without end reaches the longest timer",
    { maxDelay: Infinity },
    { attempt: 2_000 },
    0,
    MAX_TIMER,
  ],
  [
    "a wait of 2^31 ms is 1 ms shorter",
    { initialDelay: 2 ** 31, maxDelay: 2 ** 31 },
    {},
    0,
    2 ** 31 - 1,
  ],
];

for (const [title, policy, context, random, delay] of DELAYS) {
  Deno.test(`retryDelay: ${title}`, () => {
    const complete = completePolicy(policy);
    const { attempt = 1, retry, retryAfter } = context;
    assertEquals(retryDelay(complete, { attempt, retry, retryAfter }, () => random), delay);
  });
}

Deno.test("retryDelay is a timer from 0 to 2^31 - 1 for any policy, context and chance", () => {
  const numbers = [0, 1, 100, 30_000, 2 ** 31, 1e308, Infinity];
  for (const initialDelay of numbers) {
    for (const maxDelay of numbers) {
      for (const multiplier of [1, 2, 1e300, Infinity]) {
        for (const jitter of [false, 0.5, 1] as const) {
          const policy = completePolicy({ initialDelay, maxDelay, multiplier, jitter });
          for (const attempt of [1, 2, 1_026, 1e9]) {
            for (const retry of [undefined, 0, Number.MAX_SAFE_INTEGER]) {
              for (const random of [0, 0.5, ALMOST_ONE]) {
                const context = { attempt, retry, retryAfter: undefined };
                const delay = retryDelay(policy, context, () => random);
                assert(
                  delay >= 0 && delay <= 2_147_483_647,
                  `${delay} of ${JSON.stringify({ ...policy, ...context, random })}`,
                );
              }
            }
          }
        }
      }
    }
  }
});

// decideRetry

function context(more: Partial<RetryContext> = {}): RetryContext {
  return {
    attempt: 1,
    cause: undefined,
    lastEventId: "",
    retry: undefined,
    retryAfter: undefined,
    ...more,
  };
}

/** What is decided where chance leaves the whole wait. */
function decide(
  retry: RetryPolicy | RetryFunction | false | undefined,
  more: Partial<RetryContext> = {},
): number | { error: unknown } {
  const policy = completePolicy(typeof retry === "object" ? retry : {});
  return decideRetry(retry, policy, context(more), () => 0);
}

/** The error that is given up with. */
function errorOf(decision: number | { error: unknown }): unknown {
  if (typeof decision === "object") return decision.error;
  throw new Error(`Not given up: the wait is ${decision}`);
}

function exhausted(error: unknown): RetriesExhaustedError {
  if (error instanceof RetriesExhaustedError) return error;
  throw error;
}

const NETWORK = new SseError("ERR_SSE_NETWORK", "Cannot read event stream: reset");
const TRUNCATED = new TruncatedError("Cannot finish event: the body ended inside of it");
const REDIRECT = new RedirectError("Cannot follow redirect", "http://a.example/", "/b");
const OTHER = new TypeError("thrown by a function of the caller");

function refused(status: number): ResponseError {
  const init = { status, headers: new Headers(), body: "" };
  return new ResponseError("ERR_SSE_STATUS", `Cannot read event stream: ${status}`, init);
}

const DECISIONS: [
  title: string,
  retry: RetryPolicy | false | undefined,
  cause: unknown,
  decision: "wait" | "final",
][] = [
  ["a network error", undefined, NETWORK, "wait"],
  ["an error of the caller's functions", undefined, OTHER, "wait"],
  ["a clean end (T20)", undefined, undefined, "wait"],
  ["a cut event", undefined, TRUNCATED, "wait"],
  ["a redirect that was not followed", undefined, REDIRECT, "final"],
  [
    "a redirect that was not followed, whatever statuses",
    { statuses: () => true },
    REDIRECT,
    "final",
  ],
  ["a refusal (T19)", undefined, refused(503), "final"],
  ["a refusal of which statuses says nothing", { statuses: [429, 502] }, refused(503), "final"],
  ["a refusal that is among statuses", { statuses: [429, 503] }, refused(503), "wait"],
  ["a refusal that statuses denies", { statuses: (s) => s !== 503 }, refused(503), "final"],
  ["a refusal that statuses affirms", { statuses: (s) => s === 503 }, refused(503), "wait"],
  ["a clean end with onEnd of close", { onEnd: "close" }, undefined, "final"],
  ["a cut event with onEnd of close", { onEnd: "close" }, TRUNCATED, "final"],
  ["a network error with onEnd of close", { onEnd: "close" }, NETWORK, "wait"],
  [
    "a refusal among statuses with onEnd of close",
    {
      onEnd: "close",
      statuses: [503],
    },
    refused(503),
    "wait",
  ],
  ["a network error with retry of false", false, NETWORK, "final"],
  ["a clean end with retry of false", false, undefined, "final"],
];

for (const [title, retry, cause, decision] of DECISIONS) {
  const does = decision === "wait" ? "waits after" : "gives up after";
  Deno.test(`decideRetry ${does} ${title}`, () => {
    const decided = decide(retry, { cause });
    if (decision === "wait") assertEquals(decided, 1_000);
    else assertStrictEquals(errorOf(decided), cause);
  });
}

Deno.test("decideRetry passes attempt, retry, Retry-After and chance on to retryDelay", () => {
  assertEquals(decide({}, { attempt: 3 }), 4_000);
  assertEquals(decide({}, { retry: 2_500 }), 2_500);
  assertEquals(decide({ statuses: [503] }, { cause: refused(503), retryAfter: 9_000 }), 9_000);
  assertEquals(decideRetry({}, completePolicy({}), context(), () => 0.25), 750);
});

Deno.test("decideRetry asks statuses about refusals only, once for each", () => {
  const asked: number[] = [];
  const retry: RetryPolicy = { statuses: (status) => asked.push(status) > 0 };
  for (const cause of [NETWORK, undefined, REDIRECT, TRUNCATED, refused(429)]) {
    decide(retry, { cause });
  }
  assertEquals(asked, [429]);
});

Deno.test("decideRetry throws what statuses throws", () => {
  const statuses = () => {
    throw OTHER;
  };
  const error = assertThrows(() => decide({ statuses }, { cause: refused(503) }));
  assertStrictEquals(error, OTHER);
});

for (const cause of [NETWORK, undefined]) {
  const title = cause === undefined ? "without a cause after a clean end" : "with the last cause";
  Deno.test(`decideRetry gives up at maxAttempts by RetriesExhaustedError ${title}`, () => {
    const retry: RetryPolicy = { maxAttempts: 3 };
    assertEquals(decide(retry, { cause, attempt: 2 }), 2_000);
    for (const attempt of [3, 4]) {
      const error = errorOf(decide(retry, { cause, attempt }));
      assertEquals(exhausted(error).attempts, attempt);
      assertStrictEquals(exhausted(error).cause, cause);
    }
  });
}

Deno.test("decideRetry gives up at the first loss where maxAttempts is 1", () => {
  const error = errorOf(decide({ maxAttempts: 1 }, { cause: NETWORK }));
  assertEquals(exhausted(error).attempts, 1);
});

Deno.test("decideRetry tells a final cause as it is, also at maxAttempts", () => {
  for (const cause of [REDIRECT, refused(404)]) {
    assertStrictEquals(errorOf(decide({ maxAttempts: 1 }, { cause })), cause);
  }
  const end = decide({ maxAttempts: 1, onEnd: "close" }, { attempt: 9 });
  assertEquals(end, { error: undefined });
});

// decideRetry with a RetryFunction

Deno.test("decideRetry gives a RetryFunction all that is known, once", () => {
  const told: RetryContext[] = [];
  const known: RetryContext = {
    attempt: 4,
    cause: NETWORK,
    lastEventId: "7",
    retry: 99_999_999_999,
    retryAfter: Infinity,
  };
  const retry: RetryFunction = (context) => told.push(context);
  assertEquals(decideRetry(retry, completePolicy({}), known, () => 0), 1);
  assertEquals(told, [known]);
});

Deno.test("decideRetry waits as a RetryFunction says, whatever was the cause", () => {
  for (const cause of [NETWORK, undefined, TRUNCATED, REDIRECT, refused(404)]) {
    for (const delay of [0, 1.5, 99, 30_001, HOUR + 1, MAX_TIMER]) {
      assertEquals(decide(() => delay, { cause, attempt: 1e9, retryAfter: 5_000 }), delay);
    }
  }
});

Deno.test("decideRetry clamps what a RetryFunction says to the longest timer", () => {
  for (const delay of [2 ** 31, Number.MAX_VALUE, Infinity]) {
    assertEquals(decide(() => delay), 2_147_483_647);
  }
});

Deno.test("decideRetry gives up where a RetryFunction says false, with the cause or without one", () => {
  for (const cause of [NETWORK, refused(503), undefined]) {
    assertStrictEquals(errorOf(decide(() => false, { cause })), cause);
  }
});

Deno.test("decideRetry throws at what a RetryFunction may not say", () => {
  for (const delay of [NaN, -1, -Infinity, undefined, "soon", {}]) {
    assertThrows(
      () => decide((() => delay) as unknown as RetryFunction, { cause: NETWORK }),
      RangeError,
      `Cannot connect again: "retry" must return milliseconds from 0 up, or false: received ${delay}`,
    );
  }
});

Deno.test("decideRetry throws what a RetryFunction throws", () => {
  const error = assertThrows(() =>
    decide(() => {
      throw OTHER;
    }, { cause: NETWORK })
  );
  assertStrictEquals(error, OTHER);
});

// parseRetryAfter

/** Wed, 21 Oct 2015 07:28:00 GMT */
const NOW = 1_445_412_480_000;

const RETRY_AFTERS: [value: string | null, ms: number | undefined][] = [
  [null, undefined],
  ["0", 0],
  ["1", 1_000],
  ["120", 120_000],
  ["007", 7_000],
  [" 3\t", 3_000],
  ["9".repeat(400), Infinity],
  ["Wed, 21 Oct 2015 07:28:00 GMT", 0],
  ["Wed, 21 Oct 2015 07:28:01 GMT", 1_000],
  ["Thu, 22 Oct 2015 07:28:00 GMT", 86_400_000],
  ["Wednesday, 21-Oct-15 07:29:00 GMT", 60_000],
  ["Wed, 21 Oct 2015 07:27:59 GMT", 0],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ["", undefined],
  [" ", undefined],
  ["soon", undefined],
  ["1s", undefined],
  ["1e3", undefined],
  ["0x10", undefined],
  ["１", undefined],
  ["Wed, 99 Oct 2015 07:28:00 GMT", undefined],
  // Read as dates of long ago or far ahead by the lenient `Date.parse` of V8.
  ["-5", undefined],
  ["1.5", undefined],
  ["5, 7", undefined],
  ["in 2050", undefined],
];

for (const [value, ms] of RETRY_AFTERS) {
  const title = value !== null && value.length > 40 ? "400 digits" : JSON.stringify(value);
  Deno.test(`parseRetryAfter makes ${ms} of ${title}`, () => {
    assertEquals(parseRetryAfter(value, NOW), ms);
  });
}

Deno.test("parseRetryAfter takes a date without a zone for one of GMT, wherever it runs", () => {
  const zone = Deno.env.get("TZ");
  try {
    for (const other of ["UTC", "America/New_York", "Asia/Kolkata"]) {
      Deno.env.set("TZ", other);
      assertEquals(parseRetryAfter("Wed Oct 21 07:28:02 2015", NOW), 2_000, other);
      assertEquals(parseRetryAfter("Wed, 21 Oct 2015 07:28:02 GMT", NOW), 2_000, other);
    }
  } finally {
    if (zone === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", zone);
  }
});
