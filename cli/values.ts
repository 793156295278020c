/**
 * What the texts of a command line stand for: times, sizes, numbers, URLs, headers.
 *
 * @module
 */

import { UsageError } from "./failure.ts";

const TIME_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1_024,
  m: 1_048_576,
  g: 1_073_741_824,
};

/**
 * A time, in ms: `500ms`, `1.5s`, `2m`, `1h`; a bare number is in seconds, as of `sleep` and `curl`.
 *
 * @throws {UsageError} If it is none.
 */
export function parseTime(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (match === null) {
    throw new UsageError(
      `Cannot read --${name}: it must be a time such as 500ms, 10s or 2m: received ${quote(text)}`,
    );
  }
  return Math.round(Number(match[1]) * TIME_UNITS[match[2] ?? "s"]);
}

/**
 * A size, in bytes: `65536`, `64k`, `1m`.
 *
 * @throws {UsageError} If it is none.
 */
export function parseSize(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)b?$/i.exec(text);
  if (match === null) {
    throw new UsageError(
      `Cannot read --${name}: it must be a size such as 4096, 64k or 1m: received ${quote(text)}`,
    );
  }
  return Math.round(Number(match[1]) * SIZE_UNITS[match[2].toLowerCase()]);
}

/**
 * A whole number of a range.
 *
 * @throws {UsageError} If it is none, or outside.
 */
export function parseInteger(
  name: string,
  text: string,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`;
  throw new UsageError(
    `Cannot read --${name}: it must be a whole number ${range}: received ${quote(text)}`,
  );
}

/**
 * A number above 0.
 *
 * @throws {UsageError} If it is none.
 */
export function parseFactor(name: string, text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value > 0) return value;
  throw new UsageError(
    `Cannot read --${name}: it must be a number above 0: received ${quote(text)}`,
  );
}

/**
 * An HTTP URL. A host without a scheme is asked by `http`: `localhost:8000/events`.
 *
 * @throws {UsageError} If it is none.
 */
export function parseUrl(text: string): URL {
  const absolute = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(absolute) ? new URL(absolute) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new UsageError(
    `Cannot read the URL: it must be one of http or https: received ${quote(text)}`,
  );
}

/**
 * Headers, each as `name: value`, as of `curl -H`.
 *
 * @throws {UsageError} If one is none.
 */
export function parseHeaders(lines: readonly string[]): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    try {
      headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
    } catch {
      throw new UsageError(
        `Cannot read --header: it must be "name: value": received ${quote(line)}`,
      );
    }
  }
  return headers;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
