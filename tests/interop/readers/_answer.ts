/**
 * The side of a child process of `child.ts`.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import type { ServerSentEvent } from "../../../parse.ts";
import type { Answer, Question } from "./child.ts";
import type { Read } from "./reads.ts";

function write(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function read(
  reads: Readonly<Record<string, Read>>,
  { number, reader, url }: Question,
  signal: AbortSignal,
): Promise<void> {
  const seen: ServerSentEvent[] = [];
  let error: string | undefined;
  try {
    await reads[reader](url, seen, signal);
  } catch (cause) {
    error = String(cause);
  }
  write({ number, seen, error });
}

/** Answers until standard input ends. */
export function serve(reads: Readonly<Record<string, Read>>): void {
  const running = new Map<number, AbortController>();
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const question: Question = JSON.parse(line);
    if (question.stop) return running.get(question.number)?.abort();
    const controller = new AbortController();
    running.set(question.number, controller);
    await read(reads, question, controller.signal);
    running.delete(question.number);
  });
  lines.on("close", () => process.exit(0));
}
