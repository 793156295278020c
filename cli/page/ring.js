/**
 * The last so many of things that keep coming, in bounded memory.
 *
 * @module
 */

/**
 * Holds things with a size; those that are the longest in here leave for new ones.
 *
 * @template {{ readonly size: number }} T
 */
export class Ring {
  /** Oldest first, from `#from` on; before it there is nothing any more. @type {(T | undefined)[]} */
  #items = [];
  #from = 0;
  #size = 0;
  #maxCount;
  #maxSize;

  /**
   * @param {number} maxCount How many there may be.
   * @param {number} maxSize How large all together may be; the newest stays, however large it is.
   */
  constructor(maxCount, maxSize) {
    this.#maxCount = maxCount;
    this.#maxSize = maxSize;
  }

  get length() {
    return this.#items.length - this.#from;
  }

  /** @param {T} item */
  push(item) {
    this.#items.push(item);
    this.#size += item.size;
    while (this.length > this.#maxCount || (this.#size > this.#maxSize && this.length > 1)) {
      this.#size -= this.#items[this.#from]?.size ?? 0;
      this.#items[this.#from++] = undefined;
    }
    if (this.#from > this.#maxCount) {
      this.#items.splice(0, this.#from);
      this.#from = 0;
    }
  }

  /** Takes all out. */
  clear() {
    this.#items = [];
    this.#from = this.#size = 0;
  }

  /**
   * All of them, the oldest first.
   *
   * @returns {T[]}
   */
  toArray() {
    return this.#items.slice(this.#from).filter((item) => item !== undefined);
  }
}
