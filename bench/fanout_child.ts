/**
 * The processes of `fanout.ts`, as their parent has them: each answers with numbers, in time or not
 * at all, and none outlives the parent.
 *
 * @module
 */

import { TextLineStream } from "@std/streams";
import { within } from "../tests/fault/real_time.ts";

/** How long an answer may take, in ms. */
const PATIENCE = 30_000;

const running = new Set<Child>();

/** A process that runs `answer` of `fanout_answer.ts`. */
export class Child implements AsyncDisposable {
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #questions: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: ReadableStreamDefaultReader<string>;

  /**
   * Starts it.
   *
   * @param name What to call it when it fails.
   * @param command The program.
   * @param args Its arguments.
   */
  constructor(name: string, command: string, args: string[]) {
    this.#name = name;
    const pipes = { stdin: "piped", stdout: "piped" } as const;
    this.#process = new Deno.Command(command, { args, ...pipes }).spawn();
    this.#questions = this.#process.stdin.getWriter();
    this.#answers = this.#process.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough<string>(new TextLineStream()).getReader();
    running.add(this);
  }

  /** The number of the process. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Asks it something, one thing at a time.
   *
   * @param question A name and numbers.
   * @returns The numbers of the answer.
   * @throws {Error} If it has ended, does not answer in time, or answers no numbers.
   */
  async ask(question: string): Promise<number[]> {
    // What cannot be written is not answered either.
    this.#questions.write(new TextEncoder().encode(`${question}\n`)).catch(() => {});
    const asked = `Cannot measure: ${this.#name} was asked "${question}"`;
    const { done, value } = await within(
      this.#answers.read(),
      PATIENCE,
      () => `${asked} and did not answer within ${PATIENCE / 1_000} s`,
    );
    if (done) throw new Error(`${asked} and has ended, see above`);
    const numbers = value === "" ? [] : value.split(" ").map(Number);
    if (numbers.some(Number.isNaN)) throw new Error(`${asked} and said ${JSON.stringify(value)}`);
    return numbers;
  }

  /** Ends it at once. */
  end(): void {
    running.delete(this);
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Ends it, and waits until it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    await this.#process.status;
    await this.#answers.cancel();
    await this.#questions.abort().catch(() => {});
  }
}

/** Ends all that run. */
export function endAll(): void {
  for (const child of running) child.end();
}
