/**
 * The files of the live page, from the folder `page` beside this file, wherever that is: on a disk, or
 * behind the URL that Deno has loaded this module from.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** All files there are: a folder behind an HTTP URL cannot be listed, and no other name is opened. */
export const PAGE_FILES: readonly string[] = [
  "chart.js",
  "connection.js",
  "dom.js",
  "events.js",
  "figures.js",
  "filter.js",
  "format.js",
  "icon.svg",
  "index.html",
  "json.js",
  "keys.js",
  "ledger.js",
  "page.css",
  "page.js",
  "places.js",
  "publish.js",
  "random.js",
  "ring.js",
  "row.js",
  "samples.js",
  "sse.js",
  "status.js",
  "storage.js",
  "stream.js",
  "token.js",
  "topics.js",
];

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/**
 * The page needs its own files and its own server, and nothing else: no inline script, no other
 * origin, no frame around it.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** What was fetched: it stays the same, and its server is not to be asked for each visitor. */
const fetched = new Map<string, Uint8Array<ArrayBuffer>>();

/** Answers with a file; `undefined` if there is none of this name. */
export async function pageFile(name: string, request: Request): Promise<Response | undefined> {
  if (!PAGE_FILES.includes(name)) return undefined;
  const bytes = await readPageFile(name);
  const tag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 16)}"`;
  const headers = {
    "content-type": TYPES[name.slice(name.lastIndexOf(".") + 1)],
    "content-security-policy": POLICY,
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    // It is asked for again each time, and sent only where it has changed.
    "cache-control": "no-cache",
    etag: tag,
  };
  const known = request.headers.get("if-none-match")?.split(",").map((text) => text.trim());
  if (known?.some((text) => text.replace(/^W\//, "") === tag)) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(bytes, { headers });
}

async function readPageFile(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const url = new URL(`page/${name}`, import.meta.url);
  if (url.protocol === "file:") return new Uint8Array(await readFile(fileURLToPath(url)));
  const known = fetched.get(name);
  if (known !== undefined) return known;
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`Cannot load the live page: ${url} was answered with ${response.status}`);
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  fetched.set(name, bytes);
  return bytes;
}
