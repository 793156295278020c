/**
 * Times in little memory: counted in buckets that grow with what they hold.
 *
 * @module
 */

/** Each doubling of a time is divided into so many buckets. */
const STEPS = 128;
/** How many doublings there are: from 1 µs to more than a day. */
const DOUBLINGS = 37;

/**
 * How far a percentile may be off, as a share of it: half the width of a bucket, for its middle is
 * given.
 */
export const HISTOGRAM_ERROR: number = 1 / (2 * STEPS);

/** Counts times in ms, from 0 up. */
export class Histogram {
  readonly #counts = new Float64Array(STEPS * DOUBLINGS);
  #count = 0;
  #sum = 0;
  #max = 0;

  /** How many times there are. */
  get count(): number {
    return this.#count;
  }

  /** The longest one, exactly; 0 if there is none. */
  get max(): number {
    return this.#max;
  }

  /** Their mean, exactly; 0 if there is none. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** Adds one. */
  add(ms: number): void {
    this.#count++;
    this.#sum += ms;
    if (ms > this.#max) this.#max = ms;
    this.#counts[bucketOf(ms * 1_000)]++;
  }

  /**
   * The time that this share of all is not longer than.
   *
   * @param share From 0 to 1.
   * @returns In ms; 0 if there is none.
   */
  quantile(share: number): number {
    // Counted from 1 up, so that the least one is the quantile of 0.
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      // The middle of the last bucket may be longer than what is in it.
      if (seen >= rank) return Math.min(middleOf(bucket) / 1_000, this.#max);
    }
    return 0;
  }

  /** Forgets all. */
  reset(): void {
    this.#counts.fill(0);
    this.#count = this.#sum = this.#max = 0;
  }
}

/** The first doubling has a bucket for each µs; from then on there are as many for each. */
function bucketOf(µs: number): number {
  const whole = Math.max(0, Math.floor(µs));
  if (whole < STEPS) return whole;
  // A logarithm that is rounded up gives the same bucket: the last one of the doubling before.
  const doubling = Math.floor(Math.log2(whole / STEPS));
  const width = 2 ** doubling;
  const bucket = STEPS * (doubling + 1) + Math.floor(whole / width) - STEPS;
  return Math.min(bucket, STEPS * DOUBLINGS - 1);
}

function middleOf(bucket: number): number {
  if (bucket < STEPS) return bucket + 0.5;
  const doubling = Math.floor(bucket / STEPS) - 1;
  return (bucket % STEPS + STEPS + 0.5) * 2 ** doubling;
}
