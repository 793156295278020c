/** Our readers, on each runtime that has processes. */

import { openReader, type Reader } from "../peers.ts";
import { bun, node } from "../runtimes.ts";
import { openChild } from "./child.ts";
import { READS } from "./reads.ts";

/** What is true of one of our readers, wherever it runs. */
export function factsOf(name: string): Omit<Reader, "name" | "open"> {
  const resumes = name === "connect" || name === "EventSource";
  return { ours: true, feed: "hard", seesId: true, seesRetry: name !== "EventSource", resumes };
}

const names = Object.keys(READS);

/** Those that run everywhere: the two line streams are no other code there. */
export const PORTABLE: readonly string[] = names.filter((name) => name !== "line streams");

export const readers: readonly Reader[] = [
  ...names.map((name) => ({
    name: `our ${name}`,
    ...factsOf(name),
    open: () => Promise.resolve(openReader(READS[name])),
  })),
  ...PORTABLE.map((name) => ({
    name: `our ${name}, Node`,
    ...factsOf(name),
    open: () => openChild(node(), "_child.ts", name),
  })),
  ...PORTABLE.map((name) => ({
    name: `our ${name}, Bun`,
    ...factsOf(name),
    open: () => openChild(bun(), "_child.ts", name),
  })),
];
