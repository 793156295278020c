/**
 * Times, and the words of a server, as they stand in a sentence.
 *
 * @module
 */

import { visibleJson } from "../visible.ts";

/** Quotes what a server sent: bounded, and harmless to a terminal. */
export function quote(text: string, length = 60): string {
  return visibleJson(text.length > length ? `${text.slice(0, length)}…` : text);
}

/** The first few of a list, quoted, and how many there are besides. */
export function list(texts: readonly string[], most = 3): string {
  const more = texts.length - most;
  const named = texts.slice(0, most).map((text) => quote(text)).join(", ");
  return more > 0 ? `${named} and ${more} more` : named;
}

/** A time in ms as what is measured here needs it: `12 ms`, `3.2 s`, `4 min`. */
export function time(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  return `${Number((ms / 60_000).toFixed(1))} min`;
}
