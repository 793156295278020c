/**
 * Names that nobody else has.
 *
 * @module
 */

/** 128 bits. Not `randomUUID`, which pages have over TLS and on loopback only. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
