/**
 * Many times to look at something, on one timer: a timer of its own for each of thousands of
 * sessions takes more memory than all else of an idle one (`bench:fanout`).
 *
 * @module
 */

/** Timers of more ms fire at once. */
export const MAX_TIMER = 2_147_483_647;

/** What is to be looked at. */
export interface Watched {
  /** When, by `performance.now`; `Infinity` for never. */
  deadline(): number;
  /** Called when it is time. */
  look(now: number): void;
}

/** One who is waited for: `watched` is gone once nobody wants to know. */
export interface Wait {
  at: number;
  watched: Watched | undefined;
}

// A binary heap, the earliest first. Those that nobody wants to know of any more stay in it until
// their time comes, or until they are the greater part.
let waits: Wait[] = [];
let live = 0;
let dead = 0;
/** Fewer than that are not worth a pass. */
const FEW = 64;
let timer: ReturnType<typeof setTimeout> | undefined;
let timerAt = Infinity;

/** Looks at something when its deadline has come, which may move on meanwhile. */
export function watch(watched: Watched): Wait {
  const wait: Wait = { at: watched.deadline(), watched };
  live++;
  if (wait.at !== Infinity) push(wait);
  return wait;
}

/** Looks no longer. */
export function unwatch(wait: Wait): void {
  if (wait.watched === undefined) return;
  wait.watched = undefined;
  if (wait.at !== Infinity) dead++;
  if (--live > 0) {
    if (dead > FEW && dead > waits.length / 2) sweep();
    return;
  }
  waits = [];
  dead = 0;
  clearTimeout(timer);
  timer = undefined;
  timerAt = Infinity;
}

function sweep(): void {
  // What is in order is a heap, too.
  waits = waits.filter(({ watched }) => watched !== undefined).sort((a, b) => a.at - b.at);
  dead = 0;
}

function push(wait: Wait): void {
  let at = waits.push(wait) - 1;
  for (let above = (at - 1) >> 1; at > 0 && waits[above].at > wait.at; above = (at - 1) >> 1) {
    waits[at] = waits[above];
    at = above;
  }
  waits[at] = wait;
  if (wait.at < timerAt) startTimer();
}

function pop(): void {
  const last = waits.pop();
  if (last === undefined || waits.length === 0) return;
  let at = 0;
  for (let below = 1; below < waits.length; below = 2 * at + 1) {
    if (waits[below + 1]?.at < waits[below].at) below++;
    if (waits[below].at >= last.at) break;
    waits[at] = waits[below];
    at = below;
  }
  waits[at] = last;
}

function startTimer(): void {
  clearTimeout(timer);
  timerAt = waits[0]?.at ?? Infinity;
  if (timerAt === Infinity) return;
  timer = setTimeout(
    look,
    Math.min(Math.max(0, Math.ceil(timerAt - performance.now())), MAX_TIMER),
  );
}

function look(): void {
  timer = undefined;
  timerAt = Infinity;
  const now = performance.now();
  while (waits.length > 0 && waits[0].at <= now) {
    const wait = waits[0];
    pop();
    const { watched } = wait;
    if (watched === undefined) {
      dead--;
      continue;
    }
    // It is in no heap while it is looked at, and may be unwatched there.
    wait.at = Infinity;
    // It may have been busy since.
    if (watched.deadline() <= now) watched.look(now);
    if (wait.watched === undefined) continue;
    wait.at = watched.deadline();
    if (wait.at !== Infinity) push(wait);
  }
  startTimer();
}

/** How many are kept, for tests. */
export function countWaits(): number {
  return waits.length;
}
