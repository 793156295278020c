/**
 * The status, and the redirects before it.
 *
 * @module
 */

import type { Head, Hop } from "./ask.ts";
import type { Finding } from "./finding.ts";
import { quote } from "./text.ts";

const CHECK = "status";

/** Judges the status; 200 is the only one that has an event stream. */
export function judgeStatus({ status, headers }: Head): Finding {
  if (status === 200) return { check: CHECK, level: "ok", seen: "200" };
  const remedy = remedyFor(status, headers);
  return { check: CHECK, level: "error", seen: `The status is ${status}`, ...remedy };
}

function remedyFor(status: number, headers: Headers): Pick<Finding, "why" | "fix"> {
  const why = "Only 200 is an event stream: clients end here, and EventSource does not come back";
  switch (status) {
    case 204:
      return {
        why: "204 tells every client to stop for good",
        fix: "Answer 200 with text/event-stream while there may be events to come",
      };
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return { why, fix: "Send a Location with the redirect" };
    case 401:
    case 407:
      return {
        why,
        fix: "Give credentials: --token TEXT, or -H with the header that is asked for",
      };
    case 403:
      return { why, fix: "Give the credentials of somebody who may read this: --token or -H" };
    case 404:
    case 410:
      return { why, fix: "Look at the path of the URL: there is nothing at this one" };
    case 405:
      return { why, fix: `Ask with a method that it takes, by -X${allowed(headers)}` };
    case 406:
      return {
        why,
        fix: 'Let the server accept "Accept: text/event-stream", which every client sends',
      };
    case 429:
    case 503:
      return { why, fix: `Ask again later, or raise the limit${retryAfter(headers)}` };
    case 304:
      return {
        why,
        fix: "Send no validators, and do not cache the stream: Cache-Control: no-cache",
      };
  }
  if (status >= 500) {
    return { why, fix: "Look into the log of the server, or of the proxy before it" };
  }
  return { why, fix: "Answer 200 with the content type text/event-stream" };
}

function allowed(headers: Headers): string {
  const allow = headers.get("allow");
  return allow === null ? "" : `: it says ${quote(allow)}`;
}

function retryAfter(headers: Headers): string {
  const after = headers.get("retry-after");
  return after === null ? "" : `: Retry-After is ${quote(after)}`;
}

/** Judges the redirects that were followed. */
export function judgeRedirects(hops: readonly Hop[]): Finding[] {
  const check = "redirect";
  return hops.map(({ from, status, to }): Finding => {
    const seen = `${status} from ${quote(from.href, 200)} to ${quote(to.href, 200)}`;
    if (from.protocol === "https:" && to.protocol === "http:") {
      return {
        check,
        level: "error",
        seen,
        why: "It leads from https to http: browsers refuse that, others send all in the clear",
        fix: "Redirect to an https URL, or answer at the first one",
      };
    }
    if (from.origin !== to.origin) {
      return {
        check,
        level: "warning",
        seen,
        why:
          "It leads to another origin: browsers need CORS there, and careful clients send it neither credentials nor the last event ID",
        fix: "Connect to the final URL, or answer at the first one",
      };
    }
    return {
      check,
      level: "note",
      seen,
      why: "Every reconnect begins at the first URL and pays for both requests",
      fix: "Connect to the final URL",
    };
  });
}
