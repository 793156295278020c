/**
 * Ends many sessions: all at once, or spread over a time.
 *
 * @module
 */

import { type EncodedBytes, encodeEvent } from "../encode.ts";
import type { CloseReason } from "./close_reason.ts";
import { MAX_TIMER } from "./deadlines.ts";
import type { Outbox } from "./outbox.ts";

/** How long the last bytes of a session may take once it has ended, in ms. */
const LINGER = 1_000;

/** The least time between two steps, in ms. */
const STEP = 10;

/** What {@linkcode endAll} is told. */
export interface EndAllOptions {
  /** Why they end. */
  reason: CloseReason;
  /** Over how many ms. */
  over: number;
  /** The reconnection time they are told, in ms, of which each gets once to twice; default: none. */
  retry?: number;
}

/** Ends sessions, and waits until what they were sent has left, or will not leave. */
export async function endAll(outboxes: readonly Outbox[], options: EndAllOptions): Promise<void> {
  const { reason, over, retry } = options;
  const finished = Promise.all(outboxes.map((outbox) => outbox.finished)).then(() => true);
  const start = performance.now();
  for (let next = 0;;) {
    const elapsed = performance.now() - start;
    const share = elapsed >= over ? 1 : elapsed / over;
    const due = Math.floor(outboxes.length * share);
    for (; next < due; next++) {
      if (retry !== undefined) outboxes[next].push({ bytes: encodeRetry(retry), kept: true });
      outboxes[next].end(reason);
    }
    if (next === outboxes.length) break;
    const wait = Math.ceil(over * (next + 1) / outboxes.length - elapsed);
    // Those who leave by themselves are not waited for.
    if (await within(finished, Math.max(STEP, wait))) break;
  }
  await within(finished, LINGER);
  for (const outbox of outboxes) outbox.abandon();
  if (outboxes.length > 0) await nextTurn();
}

/**
 * Lets the runtime write what it has taken, which it does when this turn is over: whoever ends the
 * process next, or its connections, must not be faster. Not by a timer, of which programs have fakes.
 */
function nextTurn(): Promise<void> {
  // Not all Workers have it, nor a process to end.
  if (typeof MessageChannel === "undefined") return Promise.resolve();
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

function encodeRetry(retry: number): EncodedBytes {
  const ms = Math.round(retry * (1 + Math.random()));
  return encodeEvent({ retry: Math.min(ms, Number.MAX_SAFE_INTEGER) });
}

/** Waits for a fact, but no longer than a time; whether it is one. */
export async function within(fact: Promise<boolean>, ms: number): Promise<boolean> {
  let timer;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, MAX_TIMER), false);
  });
  const result = await Promise.race([fact, late]);
  clearTimeout(timer);
  return result;
}
