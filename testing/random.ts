/**
 * Numbers that look random and are the same for the same seed, so that a test can be repeated.
 *
 * @module
 */

/**
 * Makes a generator of numbers (mulberry32).
 *
 * @param seed The seed, of which 32 bits count.
 * @returns What gives the next number, from 0 up and below 1.
 */
export function randomNumbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
