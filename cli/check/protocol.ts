/**
 * The version of HTTP, and how the end of the body is told.
 *
 * @module
 */

import tls from "node:tls";
import type { Head } from "./ask.ts";
import type { Clock } from "./clock.ts";
import type { Finding } from "./finding.ts";
import { HTTP_1_1, HTTP_2 } from "./remedies.ts";
import { quote } from "./text.ts";

/** Judges the version. `http2` says whether the server offers HTTP/2, if that is known. */
export function judgeVersion({ version, url }: Head, http2: boolean | undefined): Finding[] {
  const check = "http-version";
  if (version.startsWith("1.0") || version.startsWith("0.")) {
    return [{
      check,
      level: "warning",
      seen: `The answer is HTTP/${version}`,
      why:
        "It has no chunks: only the end of the connection ends the body, so a cut looks like an end",
      fix: "Let the server and what is before it speak HTTP/1.1",
      config: HTTP_1_1,
    }];
  }
  if (http2) {
    return [{ check, level: "ok", seen: "HTTP/1.1 here, and HTTP/2 is offered to browsers" }];
  }
  if (http2 === undefined && url.protocol === "https:") {
    return [{
      check,
      level: "unknown",
      seen: "It could not be found out whether HTTP/2 is offered",
    }];
  }
  return [{
    check,
    level: "note",
    seen: `HTTP/${version}${url.protocol === "https:" ? ", and no HTTP/2" : " without TLS"}`,
    why:
      "Browsers open six connections to a host over HTTP/1.1, for all tabs together: a seventh stream waits, and so does every other request",
    fix: "Serve browsers over HTTP/2, or share one connection between tabs",
    config: HTTP_2,
  }];
}

/** Judges how the body is framed. */
export function judgeFraming({ version, headers }: Head): Finding {
  const check = "framing";
  const length = headers.get("content-length");
  if (length !== null) {
    return {
      check,
      level: "error",
      seen: `Content-Length is ${quote(length)}`,
      why: "A body of a fixed length ends there, and readers connect again and again",
      fix: "Leave Content-Length out, so that the body is chunked and stays open",
    };
  }
  const chunked = /\bchunked\b/i.test(headers.get("transfer-encoding") ?? "");
  if (!chunked && version === "1.1") {
    return {
      check,
      level: "note",
      seen: "The body is not chunked: it ends with the connection",
      why: "A connection that is cut cannot be told from a stream that has ended",
      fix: "Let the server send Transfer-Encoding: chunked",
    };
  }
  return {
    check,
    level: "ok",
    seen: chunked ? "The body is chunked" : `As HTTP/${version} has it`,
  };
}

/** Judges what becomes of the connection. */
export function judgeConnection({ version, headers }: Head): Finding[] {
  if (version !== "1.1" || !/\bclose\b/i.test(headers.get("connection") ?? "")) return [];
  return [{
    check: "connection",
    level: "note",
    seen: "Connection is close, though the request asked to keep it",
    why: "Each reconnect pays for a new connection, with its handshakes",
    fix: "Let the server keep connections alive",
  }];
}

/** How long the handshake may take, in ms. */
const PATIENCE = 5_000;

/** Whether a server offers HTTP/2; `undefined` if it cannot be found out. */
export function offersHttp2(
  { protocol, hostname, port }: URL,
  signal: AbortSignal,
  clock: Clock,
): Promise<boolean | undefined> {
  // Browsers speak it over TLS only.
  if (protocol !== "https:") return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean | undefined>();
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket = tls.connect({
    host,
    port: Number(port || 443),
    // An address is no name to ask for.
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    ALPNProtocols: ["h2", "http/1.1"],
    // Nothing is sent; whether the certificate is one to trust the request itself has found out.
    rejectUnauthorized: false,
  });
  const end = (offered: boolean | undefined) => {
    stop();
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
    resolve(offered);
  };
  const onAbort = () => end(undefined);
  const stop = clock.after(PATIENCE, () => end(undefined));
  signal.addEventListener("abort", onAbort, { once: true });
  socket.on("secureConnect", () => end(socket.alpnProtocol === "h2"));
  socket.on("error", () => end(undefined));
  if (signal.aborted) onAbort();
  return promise;
}
