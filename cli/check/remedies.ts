/**
 * The lines of configuration that cure what servers before an event stream do to it.
 *
 * @module
 */

import type { Remedy } from "./finding.ts";

/** What keeps a proxy from holding bytes back. */
export const UNBUFFERED: Remedy = {
  "any server behind nginx": "X-Accel-Buffering: no   (a header of the response)",
  nginx: "proxy_buffering off;",
  // With -1 it would not tell the server that a reader has left.
  Caddy: "reverse_proxy ...  (without flush_interval: it flushes event streams by itself)",
  HAProxy: "option http-no-delay",
  Apache: "ProxyPass ... flushpackets=on",
};

/** What keeps a proxy from compressing event streams. */
export const UNCOMPRESSED: Remedy = {
  "any server behind a CDN": "Cache-Control: no-cache, no-transform   (a header of the response)",
  nginx: "gzip off;   (in the location of the stream)",
  Caddy: "@other not header Accept text/event-stream\nencode @other zstd gzip",
  HAProxy: "compression type text/html text/plain text/css application/json",
};

/** What keeps a proxy from storing event streams. */
export const UNCACHED: Remedy = {
  "the server": "Cache-Control: no-cache, no-transform   (a header of the response)",
  nginx: "proxy_cache off;",
};

/** What makes a proxy speak HTTP/1.1 to the server behind it. */
export const HTTP_1_1: Remedy = {
  nginx: 'proxy_http_version 1.1;\nproxy_set_header Connection "";',
};

/** What makes a server speak HTTP/2 to browsers. */
export const HTTP_2: Remedy = {
  nginx: "listen 443 ssl;\nhttp2 on;   (before 1.25.1: listen 443 ssl http2;)",
  Caddy: "nothing: it speaks HTTP/2 over TLS by itself",
  HAProxy: "bind :443 ssl crt FILE alpn h2,http/1.1",
};

/** What makes a proxy wait longer for the next byte. */
export const PATIENT: Remedy = {
  nginx: "proxy_read_timeout 1h;",
  HAProxy: "timeout client 1h\ntimeout server 1h",
  "AWS ALB": "idle_timeout.timeout_seconds = 4000",
};
