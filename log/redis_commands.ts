/**
 * Commands on their way to Redis: each is answered within a time, or rejects with
 * `LogUnavailableError`.
 *
 * @module
 */

import { LogUnavailableError } from "../errors.ts";
import type { Link } from "./redis_client.ts";

/** How often it is looked whether there is a connection again, in ms. */
const LOOK = 20;

/** How many commands wait for a connection, and how long they are, in UTF-16 code units. */
const [MAX_WAITING, MAX_WAITING_LENGTH] = [10_000, 33_554_432];

/** How many answers may be late. As long as there are more, nothing is sent. */
const MAX_LATE = 1_000;

/** A script, and the hash by which the engine knows it. */
export class Script {
  readonly text: string;
  /** `undefined` until it is known. */
  hash: string | undefined = undefined;
  #hashing: Promise<void> | undefined = undefined;

  /** @param text The script. */
  constructor(text: string) {
    this.text = text;
  }

  /** Finds out the hash; resolves when that is over. */
  prepare(): Promise<void> {
    return this.#hashing ??= this.#prepare();
  }

  async #prepare(): Promise<void> {
    try {
      const hash = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(this.text));
      const bytes = Array.from(new Uint8Array(hash));
      this.hash = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
    } catch {
      // Without it the script is sent whole.
    }
  }
}

/** A command that is not answered yet. */
interface Call {
  readonly action: string;
  readonly deadline: number;
  readonly key: string;
  readonly args: string[];
  readonly script: Script | undefined;
  resolve(reply: unknown): void;
  reject(error: unknown): void;
}

/** See the module. */
export class Commands {
  readonly #link: Link;
  readonly #timeout: number;
  /** Those that nobody has answered, from the oldest on: all have the same time. */
  readonly #calls = new Set<Call>();
  /** Those of them that wait for a connection. */
  #waiting = new Set<Call>();
  /** How long these are. */
  #waitingLength = 0;
  /** The hashes that are on their way. */
  readonly #scripts = new Set<Promise<void>>();
  /** How many the client still has, though their time is over. */
  #late = 0;
  #sweep: ReturnType<typeof setTimeout> | undefined = undefined;
  #look: ReturnType<typeof setTimeout> | undefined = undefined;
  #closed = false;

  /** @param timeout How long an answer may take, in ms. */
  constructor(link: Link, timeout: number) {
    this.#link = link;
    this.#timeout = timeout;
  }

  /**
   * Runs a script.
   *
   * @param action What is tried, for the message: `append event`.
   */
  run(
    action: string,
    script: Script,
    keys: string[],
    args: string[],
    now: number = performance.now(),
  ): Promise<unknown> {
    const { hash, text } = script;
    if (hash === undefined) this.#scripts.add(script.prepare());
    const rest = [`${keys.length}`, ...keys, ...args];
    const command = hash === undefined ? ["EVAL", text, ...rest] : ["EVALSHA", hash, ...rest];
    return this.send(action, keys[0], command, script, now);
  }

  /** Sends a command that concerns a key. */
  send(
    action: string,
    key: string,
    args: string[],
    script?: Script,
    now: number = performance.now(),
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const deadline = now + this.#timeout;
      const call: Call = { action, deadline, key, args, script, resolve, reject };
      if (this.#closed) return reject(closedError(action));
      if (this.#late >= MAX_LATE) {
        return reject(unavailable(call, `${this.#late} answers are late`));
      }
      this.#calls.add(call);
      this.#sweep ??= setTimeout(() => this.#expire(), this.#timeout);
      // In their order, after those that wait.
      if (this.#waiting.size === 0 && !this.#link.away) this.#pass(call);
      else this.#wait(call);
    });
  }

  /** Rejects all that is not answered. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#sweep);
    clearTimeout(this.#look);
    for (const call of this.#calls) call.reject(closedError(call.action));
    this.#calls.clear();
    this.#waiting.clear();
    this.#waitingLength = 0;
    await Promise.all(this.#scripts);
  }

  #pass(call: Call): void {
    this.#answer(call).then(
      (reply) => {
        if (this.#settle(call)) call.resolve(reply);
      },
      (cause) => {
        if (call.script !== undefined && call.args[0] === "EVALSHA" && isUnknownScript(cause)) {
          call.args.splice(0, 2, "EVAL", call.script.text);
          // Its time is not over, or nobody waits for it.
          if (this.#calls.has(call)) return this.#pass(call);
        }
        if (this.#settle(call)) call.reject(unavailable(call, textOf(cause), { cause }));
      },
    );
  }

  #answer({ key, args }: Call): Promise<unknown> {
    try {
      return this.#link.send(key, args);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Whether it is still waited for. */
  #settle(call: Call): boolean {
    if (!this.#calls.delete(call)) {
      this.#late--;
      return false;
    }
    if (this.#calls.size === 0) this.#rest();
    return true;
  }

  #rest(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
  }

  // Held here, not by the client: what is rejected is never sent then.
  #wait(call: Call): void {
    const length = lengthOf(call) + this.#waitingLength;
    if (this.#waiting.size >= MAX_WAITING || length > MAX_WAITING_LENGTH) {
      this.#calls.delete(call);
      return call.reject(unavailable(call, "too many wait for a connection"));
    }
    this.#waiting.add(call);
    this.#waitingLength = length;
    this.#look ??= setTimeout(() => this.#flush(), LOOK);
  }

  #flush(): void {
    this.#look = undefined;
    for (const call of this.#waiting) {
      if (this.#link.away) break;
      this.#leave(call);
      this.#pass(call);
    }
    if (this.#waiting.size > 0) this.#look = setTimeout(() => this.#flush(), LOOK);
  }

  /** Whether it has waited, which it does no longer. */
  #leave(call: Call): boolean {
    if (!this.#waiting.delete(call)) return false;
    this.#waitingLength -= lengthOf(call);
    return true;
  }

  #expire(): void {
    this.#sweep = undefined;
    const now = performance.now();
    for (const call of this.#calls) {
      const rest = call.deadline - now;
      // A timer may be a little early.
      if (rest > 1) {
        this.#sweep = setTimeout(() => this.#expire(), rest);
        return;
      }
      this.#calls.delete(call);
      if (!this.#leave(call)) this.#late++;
      call.reject(unavailable(call, `no answer within ${this.#timeout} ms`));
    }
  }
}

function lengthOf({ args }: Call): number {
  return args.reduce((length, arg) => length + arg.length, 0);
}

function unavailable({ action }: Call, found: string, options?: ErrorOptions): LogUnavailableError {
  return new LogUnavailableError(`Cannot ${action}: Redis: ${found}, try again later`, options);
}

function closedError(action: string): TypeError {
  return new TypeError(`Cannot ${action}: the log is closed`);
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function isUnknownScript(cause: unknown): boolean {
  return textOf(cause).startsWith("NOSCRIPT");
}
