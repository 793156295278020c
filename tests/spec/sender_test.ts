/** W1 to W5: what a sender must never do. */

import { assertEquals, assertThrows } from "@std/assert";
import { encodeComment, encodeEvent, stringifyEvent } from "../../encode.ts";
import { message, parse, text } from "../helpers.ts";

const BREAKS = ["\n", "\r", "\r\n"];

for (const field of ["event", "id"] as const) {
  for (const where of ["%a", "a%", "a%data: b", "%", "%%"]) {
    for (const lineBreak of BREAKS) {
      const value = where.replaceAll("%", lineBreak);
      Deno.test(`W1: ${field} of ${JSON.stringify(value)} is refused`, () => {
        assertThrows(
          () => encodeEvent({ data: "x", [field]: value }),
          TypeError,
          `Cannot encode event: "${field}" must not contain a line break: received ${
            JSON.stringify(value)
          }`,
        );
      });
    }
  }
}

for (const value of ["\0", "a\0", "\0a", "a\0b"]) {
  Deno.test(`W1: id of ${JSON.stringify(value)} is refused`, () => {
    assertThrows(
      () => encodeEvent({ data: "x", id: value }),
      TypeError,
      `Cannot encode event: "id" must not contain NUL: received ${JSON.stringify(value)}`,
    );
  });
}

Deno.test("W1: the other line breaks of Unicode are text in event and id", () => {
  const value = "\u2028\u2029\u0085\v\f\x1c";
  assertEquals(parse([encodeEvent({ event: value, id: value, data: "" })]).events, [
    { event: value, id: value, data: "" },
  ]);
});

const SPLITS: [data: string, wire: string, read: string][] = [
  ["", "data: \n\n", ""],
  ["a", "data: a\n\n", "a"],
  ["a\nb", "data: a\ndata: b\n\n", "a\nb"],
  ["a\rb", "data: a\ndata: b\n\n", "a\nb"],
  ["a\r\nb", "data: a\ndata: b\n\n", "a\nb"],
  ["a\n\rb", "data: a\ndata: \ndata: b\n\n", "a\n\nb"],
  ["a\r\r\nb", "data: a\ndata: \ndata: b\n\n", "a\n\nb"],
  ["\n", "data: \ndata: \n\n", "\n"],
  ["\r", "data: \ndata: \n\n", "\n"],
  ["\r\n", "data: \ndata: \n\n", "\n"],
  ["a\n", "data: a\ndata: \n\n", "a\n"],
  ["\na", "data: \ndata: a\n\n", "\na"],
  ["a\n\n", "data: a\ndata: \ndata: \n\n", "a\n\n"],
  ["a\rb\nc\r\nd", "data: a\ndata: b\ndata: c\ndata: d\n\n", "a\nb\nc\nd"],
  ["a\u2028b\u0085c", "data: a\u2028b\u0085c\n\n", "a\u2028b\u0085c"],
];

for (const [data, wire, read] of SPLITS) {
  Deno.test(`W2: data of ${JSON.stringify(data)} is one line each and reads back`, () => {
    const bytes = encodeEvent({ data });
    assertEquals(text(bytes), wire);
    assertEquals(stringifyEvent({ data }), wire);
    assertEquals(parse([bytes]).events, [message(read)]);
  });
}

const COMMENTS: [comment: string, wire: string][] = [
  ["", ": \n"],
  ["a", ": a\n"],
  ["a\nb", ": a\n: b\n"],
  ["a\rb", ": a\n: b\n"],
  ["a\r\nb", ": a\n: b\n"],
  ["a\n\ndata: b", ": a\n: \n: data: b\n"],
  ["\r\n", ": \n: \n"],
  [" a", ":  a\n"],
];

for (const [comment, wire] of COMMENTS) {
  Deno.test(`W3: a comment of ${JSON.stringify(comment)} is one comment line each`, () => {
    assertEquals(text(encodeComment(comment)), `${wire}\n`);
    assertEquals(text(encodeEvent({ comment, data: "x" })), `${wire}data: x\n\n`);
    const { comments, events } = parse([encodeEvent({ comment, data: "x" })]);
    assertEquals([comments.join("\n"), events], [
      comment.replaceAll("\r\n", "\n").replaceAll("\r", "\n"),
      [message("x")],
    ]);
  });
}

for (const retry of [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 53, "1", true, 1n, null, [1], {}]) {
  const shown = typeof retry === "bigint" ? "1n" : JSON.stringify(retry) ?? `${retry}`;
  Deno.test(`W4: retry of ${typeof retry} ${shown} is refused`, () => {
    assertThrows(
      // @ts-expect-error Most of these are no numbers.
      () => encodeEvent({ data: "x", retry }),
      RangeError,
      `"retry" must be an integer of milliseconds from 0 up: received ${
        typeof retry === "string" ? '"1"' : retry
      }`,
    );
  });
}

for (const retry of [0, 1, 3000, Number.MAX_SAFE_INTEGER]) {
  Deno.test(`W4: retry of ${retry} is sent and reads back`, () => {
    const bytes = encodeEvent({ data: "x", retry });
    assertEquals(text(bytes), `retry: ${retry}\ndata: x\n\n`);
    assertEquals(parse([bytes]).events, [message("x", { retry })]);
  });
}

Deno.test("W5: one space stands after each colon, so that leading spaces survive", () => {
  const event = { event: " e", id: "  1", retry: 5, data: " a\n  b\n\tc" };
  const bytes = encodeEvent({ ...event, comment: " c" });
  assertEquals(
    text(bytes),
    ":  c\nevent:  e\nid:   1\nretry: 5\ndata:  a\ndata:   b\ndata: \tc\n\n",
  );
  assertEquals(parse([bytes]).events, [event]);
});
