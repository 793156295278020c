/**
 * The limits of parsing and encoding: what is left when nothing is checked.
 *
 * Of parsing: what it costs to decode each chunk to a string, find the line ends with `indexOf`, slice
 * the values and build one object an event, when the shape of every block is known beforehand and
 * nothing is checked. No parser in JavaScript does with less.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import type { ServerSentEvent } from "../parse.ts";
import type { Corpus } from "./corpora.ts";

type Feed = (chunk: Uint8Array) => ServerSentEvent[];

/** Makes the limit for one stream. */
export function makeLimit({ shape }: Corpus): Feed {
  const { lineEnd, lines, ascii } = shape;
  const last = lineEnd.at(-1)!;
  const step = lineEnd.length;
  // Without it the decoder is faster, and right where no character can be cut.
  const stream = !ascii;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const others = lines.filter((line) => line !== "data");
  const dataLines = lines.length - others.length;
  let held: string[] = [];
  let id = "";

  function blocks(text: string, events: ServerSentEvent[]): number {
    let count = 0;
    for (let pos = 0;;) {
      let at = pos;
      let event = "message";
      for (const line of others) {
        const end = text.indexOf(last, at);
        if (end === -1) return pos;
        if (line === "event") event = text.slice(at + 7, end);
        if (line === "id") id = text.slice(at + 4, end);
        at = end + 1;
      }
      let end = text.indexOf(last, at);
      if (end === -1) return pos;
      let data = "";
      for (let line = 1; line < dataLines; line++) {
        data += text.slice(at + 6, end + 1);
        at = end + 1;
        end = text.indexOf(last, at);
        if (end === -1) return pos;
      }
      data += text.slice(at + 6, end + 1 - step);
      if (end + step >= text.length) return pos;
      events[count++] = { event, data, id };
      pos = end + 1 + step;
    }
  }

  return (chunk) => {
    const events: ServerSentEvent[] = [];
    let text = decoder.decode(chunk, { stream });
    if (held.length > 0) {
      held.push(text);
      if (!text.includes(last)) return events;
      text = held.join("");
    }
    const pos = blocks(text, events);
    held = pos === text.length ? [] : [text.slice(pos)];
    return events;
  };
}

/** The limit of encoding arrays of events: one text, one copy, and no event is looked at. */
export function makeEncoderLimit(): TransformStream<ServerSentEventInit[], Uint8Array> {
  const encoder = new TextEncoder();
  const scratch = new Uint8Array(262_144);
  return new TransformStream({
    transform(events, controller) {
      let text = "";
      for (const { event, id, data } of events) {
        if (event !== undefined) text += `event: ${event}\n`;
        if (id !== undefined) text += `id: ${id}\n`;
        text += `data: ${data!.includes("\n") ? data!.replace(/\n/g, "\ndata: ") : data}\n\n`;
      }
      controller.enqueue(scratch.slice(0, encoder.encodeInto(text, scratch).written));
    },
  });
}
