/** Our responses in workerd. */

import type { Sender } from "../peers.ts";
import { startWorkerd } from "../workerd.ts";
import { OURS } from "./ours.ts";

export const senders: readonly Sender[] = [{
  name: "ours, workerd",
  ...OURS,
  start: () => startWorkerd("senders/_worker.ts"),
}];
