/**
 * The headers that tell caches what to do, and those that tell of caches.
 *
 * @module
 */

import type { Finding } from "./finding.ts";
import { UNCACHED } from "./remedies.ts";
import { list, quote } from "./text.ts";

const CHECK = "caching";

/** What says that an answer came out of a cache. */
const STORES = ["x-cache", "cf-cache-status", "x-cache-status", "x-proxy-cache"];

/** What only servers in between write, and who they are. */
const BETWEEN: Readonly<Record<string, string>> = {
  "cf-ray": "Cloudflare",
  "x-amz-cf-id": "Amazon CloudFront",
  "x-served-by": "Fastly",
  "x-vercel-id": "Vercel",
  "fly-request-id": "Fly.io",
  "x-azure-ref": "Azure Front Door",
  "x-akamai-transformed": "Akamai",
};

/** Judges what caches may do with the stream. */
export function judgeCaching(headers: Headers): Finding[] {
  return [...judgeControl(headers), ...judgeStored(headers), ...judgeBetween(headers)];
}

function judgeControl(headers: Headers): Finding[] {
  const value = headers.get("cache-control");
  const fix = "Send Cache-Control: no-cache, no-transform";
  if (value === null) {
    return [{
      check: CHECK,
      level: "warning",
      seen: "There is no Cache-Control",
      why: "A cache may keep the answer and give a later reader old events",
      fix,
      config: UNCACHED,
    }];
  }
  const directives = new Map(
    value.toLowerCase().split(",").map((text): [string, string] => {
      const [name, argument = ""] = text.trim().split("=");
      return [name, argument.replaceAll('"', "")];
    }),
  );
  const kept = ["max-age", "s-maxage"].some((name) => Number(directives.get(name) ?? 0) > 0);
  const fresh = directives.has("no-store") || directives.has("no-cache");
  const stored = !fresh && (directives.has("public") || directives.has("immutable") || kept);
  if (stored) {
    return [{
      check: CHECK,
      level: "error",
      seen: `Cache-Control is ${quote(value)}`,
      why: "It lets caches keep the stream and replay it to others",
      fix,
      config: UNCACHED,
    }];
  }
  if (!fresh && !directives.has("private") && !directives.has("max-age")) {
    return [{
      check: CHECK,
      level: "warning",
      seen: `Cache-Control is ${quote(value)}`,
      why: "It keeps no cache from storing the stream",
      fix,
      config: UNCACHED,
    }];
  }
  if (!directives.has("no-transform")) {
    return [{
      check: CHECK,
      level: "note",
      seen: `Cache-Control is ${quote(value)}, without no-transform`,
      why: "A server in between may compress the stream, and hold events back for it",
      fix,
    }];
  }
  return [{ check: CHECK, level: "ok", seen: `Cache-Control is ${quote(value)}` }];
}

function judgeStored(headers: Headers): Finding[] {
  const found: Finding[] = [];
  const hit = STORES.find((name) => /\bhit\b/i.test(headers.get(name) ?? ""));
  const age = headers.get("age");
  if (hit !== undefined || Number(age ?? 0) > 0) {
    const said = hit ?? "age";
    found.push({
      check: CHECK,
      level: "error",
      seen: `The answer came out of a cache: ${said} is ${quote(headers.get(said) ?? "")}`,
      why: "Readers get the events of somebody else's connection",
      fix: "Keep caches from storing it: Cache-Control: no-cache, no-transform",
      config: UNCACHED,
    });
  }
  const validators = ["etag", "last-modified"].filter((name) => headers.has(name));
  if (validators.length > 0) {
    found.push({
      check: CHECK,
      level: "note",
      seen: `There is ${validators.join(" and ")}`,
      why: "A stream has no version, and what computes one may collect the whole body first",
      fix: "Leave the stream out of what adds validators",
    });
  }
  return found;
}

/** Who stands between, by what they say of themselves. */
function judgeBetween(headers: Headers): Finding[] {
  const names = Object.keys(BETWEEN).filter((name) => headers.has(name));
  const who = names.map((name) => BETWEEN[name]);
  const via = headers.get("via");
  if (via !== null) who.push(via);
  if (who.length === 0) return [];
  return [{
    check: "proxies",
    level: "note",
    seen: `Something stands in between: ${list(who)}`,
    why: "What is found here may be its doing and not that of the server",
    fix: "Check the server directly too, and compare",
  }];
}
