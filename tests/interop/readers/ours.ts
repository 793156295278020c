/** Our readers, on each runtime that has processes. */

import { openReader, type Reader } from "../peers.ts";
import { bun, node } from "../runtimes.ts";
import { openChild } from "./child.ts";
import { READS } from "./reads.ts";

const names = Object.keys(READS);

/** Those that run everywhere: the two line streams are no other code there. */
const PORTABLE = names.filter((name) => name !== "line streams");

/** One of our readers, wherever it runs. */
function reader(name: string, title: string, open: Reader["open"]): Reader {
  const resumes = name === "connect" || name === "EventSource";
  const seesRetry = name !== "EventSource";
  return { name: title, ours: true, feed: "hard", seesId: true, seesRetry, resumes, open };
}

/** Our readers on a runtime, which opens one by its name. */
export function oursOn(
  runtime: string,
  open: (name: string) => ReturnType<Reader["open"]>,
): Reader[] {
  return PORTABLE.map((name) => reader(name, `our ${name}, ${runtime}`, () => open(name)));
}

export const readers: readonly Reader[] = [
  ...names.map((name) => {
    return reader(name, `our ${name}`, () => Promise.resolve(openReader(READS[name])));
  }),
  ...oursOn("Node", (name) => openChild(node(), "_child.ts", name)),
  ...oursOn("Bun", (name) => openChild(bun(), "_child.ts", name)),
];
