/** Our readers, on each runtime that has no page. */

import { openReader, type Reader } from "../peers.ts";
import { bun, node } from "../runtimes.ts";
import { openChild } from "./child.ts";
import { READS } from "./reads.ts";

function facts(name: string): Omit<Reader, "name" | "open"> {
  const resumes = name === "connect" || name === "EventSource";
  return { ours: true, feed: "hard", seesId: true, seesRetry: name !== "EventSource", resumes };
}

const names = Object.keys(READS);

/** The two line streams are no other code there. */
const elsewhere = names.filter((name) => name !== "line streams");

export const readers: readonly Reader[] = [
  ...names.map((name) => ({
    name: `our ${name}`,
    ...facts(name),
    open: () => Promise.resolve(openReader(READS[name])),
  })),
  ...elsewhere.map((name) => ({
    name: `our ${name}, Node`,
    ...facts(name),
    open: () => openChild(node(), "_child.ts", name),
  })),
  ...elsewhere.map((name) => ({
    name: `our ${name}, Bun`,
    ...facts(name),
    open: () => openChild(bun(), "_child.ts", name),
  })),
];
