/**
 * Whether a page of another origin may read the stream.
 *
 * @module
 */

import type { Finding } from "./finding.ts";
import { quote } from "./text.ts";

const CHECK = "cors";

/** Judges the headers. `origin` is the one that was sent with the request, if any. */
export function judgeCors(headers: Headers, origin: string | undefined): Finding {
  const allowed = headers.get("access-control-allow-origin");
  const credentials = headers.get("access-control-allow-credentials");
  if (allowed === "*" && credentials === "true") {
    return {
      check: CHECK,
      level: "error",
      seen: "Any origin is allowed, and credentials too",
      why: "Browsers refuse the two together: withCredentials fails",
      fix: "Name the origin that asks in Access-Control-Allow-Origin, with Vary: Origin",
    };
  }
  if (origin === undefined) {
    return {
      check: CHECK,
      level: "unknown",
      seen: "No origin was sent",
      fix: "Give the origin of the page: --origin https://app.example",
    };
  }
  if (allowed !== origin && allowed !== "*") {
    return {
      check: CHECK,
      level: "error",
      seen: allowed === null
        ? "There is no Access-Control-Allow-Origin"
        : `Access-Control-Allow-Origin is ${quote(allowed)}`,
      why: `Pages of ${quote(origin)} cannot read the stream`,
      fix: `Send Access-Control-Allow-Origin: ${origin}, and Vary: Origin`,
    };
  }
  if (credentials !== null && credentials !== "true") {
    return {
      check: CHECK,
      level: "warning",
      seen: `Access-Control-Allow-Credentials is ${quote(credentials)}`,
      why: "Only true, in lower case, counts",
      fix: "Send true, or leave the header out",
    };
  }
  const varies = /(?:^|,)\s*(?:origin|\*)\s*(?:,|$)/i.test(headers.get("vary") ?? "");
  if (allowed !== "*" && !varies) {
    return {
      check: CHECK,
      level: "warning",
      seen: "The origin is named, but there is no Vary: Origin",
      why: "A cache may give the answer for one origin to pages of another",
      fix: "Send Vary: Origin",
    };
  }
  const cookies = credentials === "true" ? "with" : "without";
  return {
    check: CHECK,
    level: "ok",
    seen: `Pages of ${origin} may read it, ${cookies} credentials`,
  };
}
