/** Our responses on Node and Bun themselves. */

import type { Sender } from "../peers.ts";
import { bun, node } from "../runtimes.ts";
import { startChild } from "./child.ts";
import { OURS } from "./ours.ts";

export const senders: readonly Sender[] = [
  { name: "ours, Node", ...OURS, start: () => startChild(node(), "_node.ts") },
  { name: "ours, Bun.serve", ...OURS, start: () => startChild(bun(), "_bun.ts") },
];
