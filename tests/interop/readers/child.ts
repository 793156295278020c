/**
 * Readers in a process of another runtime, or with globals of its own: one process for all of them.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { TextLineStream } from "@std/streams";
import type { ServerSentEvent } from "../../../parse.ts";
import type { OpenReader, Unavailable } from "../peers.ts";
import { isUnavailable } from "../peers.ts";
import type { Command } from "../runtimes.ts";

/** A line to the process. */
export interface Question {
  readonly number: number;
  readonly reader: string;
  readonly url: string;
  /** To leave what was asked for before. */
  readonly stop?: boolean;
}

/** A line of the process. */
export interface Answer {
  readonly number: number;
  readonly seen: readonly ServerSentEvent[];
  readonly error: string | undefined;
}

/** A reader of a process. */
export async function openChild(
  command: Promise<Command | Unavailable>,
  script: string,
  reader: string,
): Promise<OpenReader | Unavailable> {
  const found = await command;
  if (isUnavailable(found)) return found;
  return new Child(found, fileURLToPath(new URL(script, import.meta.url)), reader);
}

class Child implements OpenReader {
  readonly #process: Deno.ChildProcess;
  readonly #reader: string;
  readonly #questions: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #reading: Promise<void>;
  #number = 0;

  constructor({ program, args }: Command, script: string, reader: string) {
    this.#reader = reader;
    const pipes = { stdin: "piped", stdout: "piped" } as const;
    this.#process = new Deno.Command(program, { args: [...args, script], ...pipes }).spawn();
    this.#questions = this.#process.stdin.getWriter();
    this.#reading = this.#read();
  }

  async read(url: string, seen: ServerSentEvent[], signal: AbortSignal): Promise<void> {
    const question: Question = { number: this.#number++, reader: this.#reader, url };
    const answered = Promise.withResolvers<Answer>();
    this.#waiting.set(question.number, answered.resolve);
    const stop = () => this.#ask({ ...question, stop: true });
    signal.addEventListener("abort", stop);
    this.#ask(question);
    const answer = await answered.promise;
    signal.removeEventListener("abort", stop);
    seen.push(...answer.seen);
    if (answer.error !== undefined) throw new Error(answer.error);
  }

  #ask(question: Question): void {
    // What cannot be written is not answered either: the process has ended.
    this.#questions.write(new TextEncoder().encode(`${JSON.stringify(question)}\n`))
      .catch(() => {});
  }

  async #read(): Promise<void> {
    const lines = this.#process.stdout.pipeThrough(
      new TextDecoderStream("utf-8", { ignoreBOM: true }),
    )
      .pipeThrough<string>(new TextLineStream());
    for await (const line of lines) {
      const answer: Answer = JSON.parse(line);
      this.#waiting.get(answer.number)?.(answer);
      this.#waiting.delete(answer.number);
    }
    for (const [number, answer] of this.#waiting) {
      answer({ number, seen: [], error: `the process of ${this.#reader} has ended` });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#questions.close().catch(() => {});
    await this.#process.status;
    await this.#reading;
  }
}
