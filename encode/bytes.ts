/**
 * Text to bytes: what `TextEncoder` does, faster.
 *
 * @module
 */

/**
 * A `Uint8Array` as `TextEncoder` makes them: it goes into a `Response` or a `Blob` in every version
 * of TypeScript.
 */
export type EncodedBytes = ReturnType<InstanceType<typeof TextEncoder>["encode"]>;

const encoder = /* @__PURE__ */ new TextEncoder();

/**
 * Small events are written one behind the other into a buffer of this many bytes: on Deno to allocate
 * one for each costs more than all the rest (`deno task bench:compare encode`). No byte of it is
 * given out twice, and an event that is kept keeps at most this much alive.
 */
const POOL_LENGTH = 16_384;

/** Made at the first event: an import does no work. */
let pool: EncodedBytes = /* @__PURE__ */ new Uint8Array(0);
let used = 0;

/** Bytes that lie beside those of other texts, in one buffer. */
export function encodeText(text: string): EncodedBytes {
  // A code unit takes three bytes at most.
  const most = text.length * 3;
  if (most > POOL_LENGTH / 4) return encoder.encode(text);
  // Its length is 0 when somebody has transferred it.
  if (pool.length - used < most) {
    pool = new Uint8Array(POOL_LENGTH);
    used = 0;
  }
  const start = used;
  used += encoder.encodeInto(text, pool.subarray(start)).written;
  return pool.subarray(start, used);
}

/** Up to this many code units `encode` is faster. */
const SHORT_TEXT = 512;

const SCRATCH_LENGTH = 262_144;

let scratch: EncodedBytes = /* @__PURE__ */ new Uint8Array(0);

/**
 * Bytes with a buffer of their own, for a stream whose reader may transfer it. On Deno `encode`
 * takes almost twice as long as `encodeInto` where text is not ASCII, so that a copy pays.
 */
export function encodeOwn(text: string): EncodedBytes {
  if (text.length <= SHORT_TEXT || text.length * 3 > SCRATCH_LENGTH) return encoder.encode(text);
  // Its length is 0 before the first use.
  if (scratch.length === 0) scratch = new Uint8Array(SCRATCH_LENGTH);
  return scratch.slice(0, encoder.encodeInto(text, scratch).written);
}
