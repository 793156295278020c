/**
 * The content type: clients refuse all but one.
 *
 * @module
 */

import { isEventStream } from "../../parse/response.ts";
import { parseMediaType } from "../../server/request.ts";
import type { Finding } from "./finding.ts";
import type { Transcript } from "./transcript.ts";
import { quote } from "./text.ts";

const CHECK = "content-type";

const FIX = "Send Content-Type: text/event-stream";

/**
 * Judges the content type.
 *
 * @param body What the body starts with, where the type is another.
 */
export function judgeContentType(headers: Headers, body?: Transcript): Finding {
  const value = headers.get("content-type");
  if (!isEventStreamType(headers)) {
    return {
      check: CHECK,
      level: "error",
      seen: value === null ? "There is no content type" : `The content type is ${quote(value)}`,
      why: `Clients refuse all but text/event-stream${
        looksLikeEvents(body)
          ? ", also a body that is an event stream, as this one seems to be"
          : ""
      }`,
      fix: looksLikeEvents(body) ? FIX : `${FIX}, or look at the URL: this may be another page`,
    };
  }
  const parameters = parseMediaType(value ?? "")?.parameters;
  if (parameters === undefined) {
    return {
      check: CHECK,
      level: "warning",
      seen: `The content type is ${quote(value ?? "")}`,
      why: "It is no proper media type: some clients take it, others refuse the stream",
      fix: FIX,
    };
  }
  const charset = parameters.get("charset");
  if (charset !== undefined && charset.toLowerCase() !== "utf-8") {
    return {
      check: CHECK,
      level: "warning",
      seen: `The charset is ${quote(charset)}`,
      why: "Event streams are UTF-8 whatever the charset says: other bytes become U+FFFD",
      fix: "Send UTF-8, and charset=utf-8 or no charset",
    };
  }
  const others = [...parameters.keys()].filter((name) => name !== "charset");
  if (others.length > 0) {
    return {
      check: CHECK,
      level: "note",
      seen: `The content type is ${quote(value ?? "")}`,
      why: "The standard has no parameter but charset, and strict clients compare the text",
      fix: FIX,
    };
  }
  return { check: CHECK, level: "ok", seen: value ?? "" };
}

/** Whether the type is that of event streams, as our client has it. */
export function isEventStreamType(headers: Headers): boolean {
  return isEventStream(new Response(null, { headers }));
}

function looksLikeEvents(body: Transcript | undefined): boolean {
  return body !== undefined && body.ignored.count === 0 &&
    body.events.length + body.comments > 0;
}
