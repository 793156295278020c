/**
 * `test` and `assert` for where there is no `node:test`: pages and Workers.
 *
 * @module
 */

import type { Assert, ErrorShape, Test } from "./harness.ts";

/** Tests that run one after the other, in the order of their registration. */
export class TestQueue {
  readonly #bodies: (() => void | Promise<void>)[] = [];

  /** Registers a test. */
  readonly test: Test = (_title, body) => void this.#bodies.push(body);

  /** Runs all tests, each of them once. What they throw is for who has wrapped them. */
  async run(): Promise<void> {
    for (let body = this.#bodies.shift(); body !== undefined; body = this.#bodies.shift()) {
      try {
        await body();
      } catch {
        // `runSuites` has reported it.
      }
    }
  }
}

/** The part of `node:assert/strict` that the suites use. */
export const assert: Assert = {
  equal(actual, expected, message) {
    if (!Object.is(actual, expected)) fail(message, `${show(expected)}: received ${show(actual)}`);
  },
  deepEqual(actual, expected, message) {
    const path = difference(actual, expected, "");
    if (path === undefined) return;
    const where = path === "" ? "" : `, which differs at ${path}`;
    fail(message, `${show(expected)}: received ${show(actual)}${where}`);
  },
  ok(value, message) {
    if (!value) fail(message, `something truthy: received ${show(value)}`);
  },
  match(text, pattern, message) {
    if (!pattern.test(text)) fail(message, `a match of ${pattern}: received ${show(text)}`);
  },
  throws(body, shape) {
    let thrown: unknown;
    try {
      body();
    } catch (error) {
      thrown = error;
    }
    checkError(thrown, shape);
  },
  async rejects(work, shape) {
    let thrown: unknown;
    try {
      await (typeof work === "function" ? work() : work);
    } catch (error) {
      thrown = error;
    }
    checkError(thrown, shape);
  },
};

function fail(message: string | undefined, text: string): never {
  throw new Error(`${message === undefined ? "" : `${message}: `}Expected ${text}`);
}

function checkError(error: unknown, { name, code, message }: ErrorShape): void {
  if (typeof error !== "object" || error === null) fail(undefined, `an error: received ${error}`);
  const is = (key: string): unknown => Reflect.get(error, key);
  if (name !== undefined) assert.equal(is("name"), name, `"name" of ${error}`);
  if (code !== undefined) assert.equal(is("code"), code, `"code" of ${error}`);
  if (message !== undefined) assert.match(`${is("message")}`, message, '"message"');
}

/** Where two values differ, as `.a[0]`; `""` if they do as a whole, `undefined` if they do not. */
function difference(actual: unknown, expected: unknown, path: string): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (!isObject(actual) || !isObject(expected)) return path;
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return path;
  // Also what is there as `undefined`, or not at all, is another thing, as it is for Node.
  const keys = Reflect.ownKeys(expected);
  if (Reflect.ownKeys(actual).length !== keys.length) return path;
  for (const key of keys) {
    const at = `${path}.${String(key)}`;
    if (!Object.hasOwn(actual, key)) return at;
    const deeper = difference(Reflect.get(actual, key), Reflect.get(expected, key), at);
    if (deeper !== undefined) return deeper;
  }
  // Of maps, dates and the like the keys do not tell.
  return Array.isArray(expected) || isPlain(expected) ? undefined : path;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function show(value: unknown): string {
  return isObject(value) ? JSON.stringify(value) : `${typeof value} ${JSON.stringify(value)}`;
}
