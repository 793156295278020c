/** What waits for one reader: the bound, the three policies beyond it, and the chunks that are taken. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { type QueueItem, SessionQueue, type SlowConsumerPolicy } from "../../server/queue.ts";
import { property } from "../helpers.ts";

const POLICIES: SlowConsumerPolicy[] = ["disconnect", "drop-oldest", "latest-by-key"];

/** An item of so many bytes, all of them the same letter. */
function item(letter: string, length: number, more: Partial<QueueItem> = {}): QueueItem {
  return { bytes: new Uint8Array(length).fill(letter.charCodeAt(0)), ...more };
}

/** A queue in which the given items wait. */
function queueOf(limit: number, policy: SlowConsumerPolicy, ...items: QueueItem[]): SessionQueue {
  const queue = new SessionQueue(limit, policy);
  for (const each of items) assertEquals(queue.push(each), 0);
  return queue;
}

/** The letters that wait, of which nothing is left then. */
function letters(queue: SessionQueue): string {
  let text = "";
  for (let bytes = queue.take(1); bytes !== undefined; bytes = queue.take(1)) {
    text += String.fromCharCode(bytes[0]);
  }
  return text;
}

// The bound

for (const policy of POLICIES) {
  Deno.test(`SessionQueue.push with "${policy}" drops nothing up to the limit`, () => {
    const queue = queueOf(30, policy, item("a", 10), item("b", 10), item("c", 10));
    assertEquals([queue.bytes, queue.size, letters(queue)], [30, 3, "abc"]);
  });

  Deno.test(`SessionQueue.push with "${policy}" takes one item alone that is larger`, () => {
    const queue = queueOf(10, policy, item("a", 100));
    assertEquals([queue.bytes, queue.size, letters(queue)], [100, 1, "a"]);
  });

  Deno.test(`SessionQueue.push with "${policy}" lets one kept item pass the limit, and no two`, () => {
    const queue = queueOf(10, policy, item("a", 10, { kept: true }), item("b", 9, { kept: true }));
    assertEquals([queue.bytes, queue.size], [19, 2]);
    assertEquals(queue.push(item("c", 1, { kept: true })), undefined);
  });

  Deno.test(`SessionQueue.push with "${policy}" drops no kept item for one that is not`, () => {
    const queue = queueOf(10, policy, item("a", 10, { kept: true, key: "k" }));
    assertEquals(queue.push(item("b", 1, { key: "k" })), undefined);
    assertEquals(letters(queue), "ab");
  });
}

Deno.test('SessionQueue.push with "disconnect" drops nothing beyond the limit either', () => {
  const queue = queueOf(20, "disconnect", item("a", 10), item("b", 10));
  assertEquals(queue.push(item("c", 1)), undefined);
  assertEquals([queue.bytes, letters(queue)], [21, "abc"]);
});

// Which ones are dropped

Deno.test('SessionQueue.push with "drop-oldest" drops as many of the oldest as it must', () => {
  const queue = queueOf(30, "drop-oldest", item("a", 10), item("b", 10), item("c", 10));
  assertEquals(queue.push(item("d", 11)), 2);
  assertEquals([queue.bytes, letters(queue)], [21, "cd"]);
});

Deno.test('SessionQueue.push with "drop-oldest" drops all for an item that is larger, but not that', () => {
  const queue = queueOf(30, "drop-oldest", item("a", 10), item("b", 20));
  assertEquals(queue.push(item("c", 31)), 2);
  assertEquals([queue.bytes, letters(queue)], [31, "c"]);
});

Deno.test('SessionQueue.push with "drop-oldest" passes over what is kept', () => {
  const kept = { kept: true };
  const queue = queueOf(30, "drop-oldest", item("a", 10, kept), item("b", 10), item("c", 10, kept));
  assertEquals(queue.push(item("d", 10)), 1);
  assertEquals(letters(queue), "acd");
});

Deno.test('SessionQueue.push with "drop-oldest" drops for a kept item before it lets it pass', () => {
  const queue = queueOf(20, "drop-oldest", item("a", 10), item("b", 10, { kept: true }));
  assertEquals(queue.push(item("c", 15, { kept: true })), 1);
  assertEquals([queue.bytes, letters(queue)], [25, "bc"]);
});

Deno.test('SessionQueue.push with "drop-oldest" does not look at keys', () => {
  const [a, b] = [{ key: "a" }, { key: "b" }];
  const queue = queueOf(30, "drop-oldest", item("a", 10, a), item("b", 10, b), item("c", 10, b));
  assertEquals(queue.push(item("d", 10)), 1);
  assertEquals(letters(queue), "bcd");
});

Deno.test('SessionQueue.push with "latest-by-key" drops what is replaced, as it was replaced', () => {
  const [a, b] = [{ key: "a" }, { key: "b" }];
  const queue = queueOf(50, "latest-by-key", item("a", 10, a), item("b", 10, b), item("c", 10));
  assertEquals(queue.push(item("B", 10, b)), 0);
  assertEquals(queue.push(item("A", 10, a)), 0);
  // "b" was replaced before "a" was.
  assertEquals(queue.push(item("d", 10)), 1);
  assertEquals(queue.push(item("e", 10)), 1);
  assertEquals(queue.push(item("f", 1)), undefined);
  assertEquals(letters(queue), "cBAdef");
});

Deno.test('SessionQueue.push with "latest-by-key" drops what the item itself replaces', () => {
  const key = "k";
  const queue = queueOf(20, "latest-by-key", item("a", 10, { key }), item("b", 10, { key }));
  assertEquals(queue.push(item("c", 15, { key })), 2);
  assertEquals([queue.bytes, letters(queue)], [15, "c"]);
});

Deno.test('SessionQueue.push with "latest-by-key" replaces nothing that has been taken', () => {
  const key = "k";
  const queue = queueOf(20, "latest-by-key", item("a", 10, { key }), item("b", 10));
  queue.take(1);
  assertEquals(queue.push(item("c", 10, { key })), 0);
  assertEquals(queue.push(item("d", 10)), undefined);
  assertEquals(letters(queue), "bcd");
});

Deno.test('SessionQueue.push with "latest-by-key" keeps what has no key, and the empty key is one', () => {
  const key = "";
  const queue = queueOf(20, "latest-by-key", item("a", 10), item("b", 10, { key }));
  assertEquals(queue.push(item("c", 10, { key })), 1);
  assertEquals(queue.push(item("d", 10)), undefined);
  assertEquals(letters(queue), "acd");
});

// What is taken

Deno.test("SessionQueue.take gives undefined when nothing waits", () => {
  const queue = new SessionQueue(10, "disconnect");
  assertEquals(queue.take(10), undefined);
  queue.push(item("a", 1));
  queue.take(10);
  assertEquals([queue.take(10), queue.bytes, queue.size], [undefined, 0, 0]);
});

Deno.test("SessionQueue.take gives the very bytes of one item alone", () => {
  const [a, b] = [item("a", 10), item("b", 11)];
  const queue = queueOf(100, "disconnect", a, b);
  assertStrictEquals(queue.take(20), a.bytes);
  assertStrictEquals(queue.take(20), b.bytes);
});

Deno.test("SessionQueue.take joins as many items as fit, in their order", () => {
  const queue = queueOf(100, "disconnect", item("a", 1), item("b", 2), item("c", 3), item("d", 4));
  assertEquals(queue.take(6), Uint8Array.from([97, 98, 98, 99, 99, 99]));
  assertEquals([queue.bytes, queue.size], [4, 1]);
});

Deno.test("SessionQueue.take gives one item at least, and does not look behind it for a smaller", () => {
  const queue = queueOf(100, "disconnect", item("a", 9), item("b", 9), item("c", 1));
  assertEquals(queue.take(5)?.length, 9);
  assertEquals(queue.take(9)?.length, 9);
  assertEquals(queue.take(9)?.length, 1);
});

// A queue that is slow and obvious

/** An item that waits, and when another one of its key came. */
interface Waiting {
  readonly item: QueueItem;
  replaced?: number;
}

class Model {
  waiting: Waiting[] = [];
  readonly #limit: number;
  readonly #policy: SlowConsumerPolicy;
  #pushes = 0;

  constructor(limit: number, policy: SlowConsumerPolicy) {
    this.#limit = limit;
    this.#policy = policy;
  }

  get bytes(): number {
    return this.waiting.reduce((sum, { item }) => sum + item.bytes.length, 0);
  }

  push(item: QueueItem): number | undefined {
    this.#pushes++;
    const same = this.waiting.findLast((each) =>
      item.key !== undefined && each.item.key === item.key
    );
    if (same !== undefined) same.replaced ??= this.#pushes;
    this.waiting.push({ item });
    for (let dropped = 0;; dropped++) {
      if (this.bytes <= this.#limit || this.waiting.length === 1) return dropped;
      const [victim] = this.#victims();
      if (victim === undefined) {
        const passes = item.kept && this.bytes - item.bytes.length <= this.#limit;
        return passes ? dropped : undefined;
      }
      this.waiting = this.waiting.filter((each) => each !== victim);
    }
  }

  take(most: number): QueueItem[] {
    let count = 1;
    const lengthOf = (n: number) =>
      this.waiting.slice(0, n).reduce((sum, { item }) => sum + item.bytes.length, 0);
    while (count < this.waiting.length && lengthOf(count + 1) <= most) count++;
    return this.waiting.splice(0, count).map(({ item }) => item);
  }

  #victims(): Waiting[] {
    const droppable = this.waiting.slice(0, -1).filter(({ item }) => !item.kept);
    if (this.#policy === "disconnect") return [];
    if (this.#policy === "drop-oldest") return droppable;
    return droppable
      .filter(({ replaced }) => replaced !== undefined)
      .sort((a, b) => (a.replaced ?? 0) - (b.replaced ?? 0));
  }
}

/** What is done with a queue. */
type Step =
  | { push: { length: number; key: string | undefined; kept: boolean } }
  | { take: number };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      push: fc.record({
        length: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 80 })),
        key: fc.constantFrom("a", "b", "c", undefined),
        kept: fc.boolean(),
      }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 60 }) }) },
);

for (const policy of POLICIES) {
  Deno.test(`SessionQueue with "${policy}" does what a list would that is searched each time`, () => {
    // So that a property which never drops anything does not pass for one that does.
    let [dropped, failed, kept] = [0, 0, 0];
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.array(STEP, { maxLength: 60, size: "max" }),
        (limit, steps) => {
          const queue = new SessionQueue(limit, policy);
          const model = new Model(limit, policy);
          let [pushed, taken] = [0, 0];
          let keptWaiting: QueueItem[] = [];
          for (const step of steps) {
            if ("push" in step) {
              const { length, key, kept } = step.push;
              // Each has bytes of its own.
              const next = { bytes: new Uint8Array(length).fill(++pushed), key, kept };
              if (kept) keptWaiting.push(next);
              const result = queue.push(next);
              assertEquals(result, model.push(next));
              dropped += result ?? 0;
              if (result === undefined) failed++;
              else assertBound(model, limit);
            } else {
              const expected = model.take(step.take);
              const bytes = queue.take(step.take);
              assertEquals([...bytes ?? []], expected.flatMap(({ bytes }) => [...bytes]));
              if (expected.length === 1) assertStrictEquals(bytes, expected[0].bytes);
              assert(expected.length < 2 || (bytes?.length ?? 0) <= step.take);
              taken += expected.length;
              keptWaiting = keptWaiting.filter((each) => !expected.includes(each));
            }
            assertEquals([queue.bytes, queue.size], [model.bytes, model.waiting.length]);
            const waiting = new Set(model.waiting.map(({ item }) => item));
            assert(keptWaiting.every((each) => waiting.has(each)), "a kept item is gone");
            kept += keptWaiting.length;
          }
        },
      ),
      property(),
    );
    assertEquals([dropped > 0, failed > 0, kept > 0], [policy !== "disconnect", true, true]);
  });
}

/** What waits is within the limit, but for one item alone or the last one if it is kept. */
function assertBound(model: Model, limit: number): void {
  const last = model.waiting.at(-1)?.item;
  const before = model.bytes - (last?.bytes.length ?? 0);
  assert(model.bytes <= limit || before === 0 || (last?.kept === true && before <= limit));
}
