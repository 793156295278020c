/**
 * A storm of reconnects, in virtual time: what comes over the processes that are left when one dies,
 * over all of them after an outage, and in a rolling deploy. Readers wait by the policy of our own
 * client, and are sent away by the code that `close({ drain })` runs, both as they are.
 *
 * ```sh
 * deno run tools/storm.ts --readers 1000000 --processes 20
 * deno run tools/storm.ts --scenario outage --outage 30000 --accepts 5000
 * deno run tools/storm.ts --help
 * ```
 *
 * @module
 */

import FakeTimers from "@sinonjs/fake-timers";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  completePolicy,
  decideRetry,
  parseRetryAfter,
  type RetryFunction,
  type RetryPolicy,
} from "../client/retry.ts";
import { ResponseError } from "../errors.ts";
import { EventSource } from "../event_source.ts";
import { ServerSentEventParser } from "../parse.ts";
import { endAll } from "../server/drain.ts";
import { Outbox, type Pushed } from "../server/outbox.ts";
import type { QueueItem } from "../server/queue.ts";
import { tooMany } from "../server/request.ts";
import { RETRY_AFTER } from "../server/fanout.ts";
import { mulberry32 } from "../tests/chunkings.ts";

/** What happens: one process dies, all are away for a time, or each is replaced in its turn. */
export const SCENARIOS = ["crash", "outage", "rolling"] as const;
/** Who reads: our `connect`, or the `EventSource` of a browser. */
export const CLIENTS = ["connect", "event-source"] as const;
/** What a process answers to whom it cannot take: the connection is cut, or a 503. */
export const REFUSALS = ["reset", "503"] as const;

/** What is simulated. Times are in ms. */
export interface StormOptions {
  scenario: typeof SCENARIOS[number];
  client: typeof CLIENTS[number];
  readers: number;
  processes: number;
  /** How long all are away, in an outage. */
  outage: number;
  /** Over how long each process sends its readers away, in a rolling deploy. */
  drain: number;
  /** How many connections a process takes in a second of the clock. */
  accepts: number;
  /** What it does with those beyond. */
  refuse: typeof REFUSALS[number];
  /** How many sessions a process has at most: beyond them it answers 503. */
  maxSessions: number;
  /** The reconnection time that the server has told its readers; none unless it is set. */
  retry?: number;
  /** See `RetryPolicy`; of no use to an `EventSource`. */
  jitter?: number;
  /** See `RetryPolicy`; of no use to an `EventSource`. */
  maxDelay?: number;
  /** Topics of a reader. */
  topics: number;
  /** Events a second of each topic. */
  rate: number;
  seed: number;
}

/** What came of it. Lists have an entry for each second of the clock, from the first loss on. */
export interface Storm {
  /** Losses of a connection: in a rolling deploy a reader may have several. */
  losses: number;
  /** Losses after which the reader came back. */
  back: number;
  /** Losses after which it gave up. */
  gone: number;
  /** Attempts that were refused. */
  refused: number;
  leaves: number[];
  attempts: number[];
  connects: number[];
  /** Reads of the event log that are to be expected: who has missed nothing reads nothing. */
  reads: number[];
  /** Events that they are to give. */
  replayed: number[];
  /** Most attempts in any tenth of a second. */
  busiestTenth: number;
  /** How many came back at which attempt, from 0, which none is. */
  backAtAttempt: number[];
  /** How many were back how many ticks after they had lost the connection. */
  backAfter: number[];
  /** Sessions of each process in the end. */
  sessions: number[];
  /** Most sessions that any process has had. */
  mostSessions: number;
}

/** Why a storm cannot be simulated, in a sentence. */
export class StormError extends Error {}

/** What the clock counts in, in ms: `endAll` takes steps of as much. */
const TICK = 10;
const SECOND = 1_000 / TICK;
const TENTH = 100 / TICK;
/** What `close({ drain })` has readers wait if the channel has no `retry` of its own. */
export const DRAIN_RETRY = 1_000;
/** A storm that is not over by then is not going to be, in ms. */
const LONGEST = 86_400_000;

/** No process: the reader waits, or has given up. */
const AWAY = -1;
/** No reader: the end of a list. */
const NOBODY = -1;

const CUT = new TypeError("the connection was cut");
const BUSY = busy();
const BUSY_FOR = parseRetryAfter(BUSY.headers.get("retry-after"), 0);

/** What a client makes of the answer of a server that is full. */
function busy(): ResponseError {
  const { status, headers } = tooMany(RETRY_AFTER);
  return new ResponseError("ERR_SSE_STATUS", "busy", { status, headers, body: "" });
}

/** Plays it to its end; `onProgress` is told each second how many ms have passed in it. */
export async function simulate(
  options: StormOptions,
  onProgress: (ms: number, storm: Storm) => void = () => {},
): Promise<Storm> {
  const simulation = new Simulation(options, onProgress);
  await simulation.run();
  return simulation.storm;
}

/** A process that is drained: who leaves it when, and what it was told. */
interface Leave {
  reader: number;
  tick: number;
  retry: number | undefined;
}

class Simulation {
  readonly storm: Storm = {
    losses: 0,
    back: 0,
    gone: 0,
    refused: 0,
    leaves: [],
    attempts: [],
    connects: [],
    reads: [],
    replayed: [],
    busiestTenth: 0,
    backAtAttempt: [],
    backAfter: [],
    sessions: [],
    mostSessions: 0,
  };

  readonly #options: StormOptions;
  readonly #random: () => number;
  readonly #retry: RetryPolicy | RetryFunction;
  readonly #policy: ReturnType<typeof completePolicy>;
  #now = 0;
  // For each tick the first of its readers, and for each reader the next one of its tick: nobody
  // waits for two things at once. A heap of a million would take ten times as long.
  #first: Int32Array = new Int32Array(1_024).fill(NOBODY);
  readonly #next: Int32Array;
  #waiting = 0;
  /** The process of each reader. */
  readonly #process: Int32Array;
  /** When its connection was opened or lost, in ticks. */
  readonly #since: Int32Array;
  /** Attempts in a row that were lost, as the client counts them. */
  readonly #losses: Uint32Array;
  /** Attempts since it lost its connection. */
  readonly #attempts: Uint32Array;
  /** The reconnection time it was told, in ms. */
  readonly #told: Float64Array;
  /** Connections that each process was asked for in this second. */
  readonly #asked: Uint32Array;
  /** The process that takes nobody, of all others that do; `AWAY` if there is none. */
  #down = AWAY;
  /** When all others do, in ticks. */
  #up = 0;
  #tenth = 0;
  readonly #onProgress: (ms: number, storm: Storm) => void;
  #toldAt: number = Date.now();

  constructor(options: StormOptions, onProgress: (ms: number, storm: Storm) => void) {
    const { readers, processes, client, retry, jitter, maxDelay, seed } = options;
    this.#options = options;
    this.#onProgress = onProgress;
    this.#random = mulberry32(seed);
    const policy: RetryPolicy = { jitter, maxDelay, statuses: [503] };
    this.#policy = completePolicy(policy);
    this.#retry = client === "connect" ? policy : browserRetry();
    this.#next = new Int32Array(readers);
    this.#process = Int32Array.from({ length: readers }, (_, reader) => reader % processes);
    // Long before.
    this.#since = new Int32Array(readers).fill(-LONGEST / TICK);
    this.#losses = new Uint32Array(readers);
    this.#attempts = new Uint32Array(readers);
    this.#told = new Float64Array(readers).fill(retry ?? NaN);
    this.#asked = new Uint32Array(processes);
    this.storm.sessions = Array.from({ length: processes }, () => 0);
    for (const process of this.#process) this.storm.sessions[process]++;
    this.storm.mostSessions = most(this.storm.sessions);
  }

  async run(): Promise<void> {
    const { scenario, processes, outage } = this.#options;
    switch (scenario) {
      case "crash":
        this.#down = 0;
        this.#cut((process) => process === 0);
        this.#play(Infinity);
        // It does not come back.
        this.storm.sessions.shift();
        break;
      case "outage":
        this.#up = Math.ceil(outage / TICK);
        this.#cut(() => true);
        this.#play(Infinity);
        break;
      case "rolling":
        for (let process = 0; process < processes; process++) {
          this.#down = process;
          this.#play(this.#now + await this.#drain(process));
        }
        this.#down = AWAY;
        this.#play(Infinity);
    }
    this.#endTenth();
  }

  /** Cuts connections, all in this moment. */
  #cut(isCut: (process: number) => boolean): void {
    for (let reader = 0; reader < this.#process.length; reader++) {
      if (isCut(this.#process[reader])) this.#lose(reader, CUT);
    }
  }

  /** Has a process send its readers away; in how many ticks it is done. */
  async #drain(process: number): Promise<number> {
    const { drain, retry = DRAIN_RETRY } = this.#options;
    const readers: number[] = [];
    for (let reader = 0; reader < this.#process.length; reader++) {
      if (this.#process[reader] === process) readers.push(reader);
    }
    // Those leave first who came first.
    readers.sort((a, b) => this.#since[a] - this.#since[b]);
    for (const leave of await drainReaders(readers, drain, retry, this.#random)) {
      this.#told[leave.reader] = leave.retry ?? this.#told[leave.reader];
      this.#schedule(leave.reader, leave.tick);
    }
    return Math.ceil(drain / TICK);
  }

  /** Plays up to a tick, or until nobody waits any more. */
  #play(until: number): void {
    for (; until === Infinity ? this.#waiting > 0 : this.#now < until; this.#now++) {
      if (this.#now % SECOND === 0) {
        this.#asked.fill(0);
        this.#tell();
      }
      if (this.#now % TENTH === 0) this.#endTenth();
      if (this.#now >= this.#first.length) continue;
      let reader = this.#first[this.#now];
      while (reader !== NOBODY) {
        const next = this.#next[reader];
        this.#waiting--;
        if (this.#process[reader] === AWAY) this.#attempt(reader);
        else this.#lose(reader, undefined);
        reader = next;
      }
    }
  }

  #tell(): void {
    const now = Date.now();
    if (now - this.#toldAt < 1_000) return;
    this.#toldAt = now;
    this.#onProgress(this.#now * TICK, this.storm);
  }

  #endTenth(): void {
    this.storm.busiestTenth = Math.max(this.storm.busiestTenth, this.#tenth);
    this.#tenth = 0;
  }

  #schedule(reader: number, ticks: number): void {
    const at = this.#now + Math.max(1, ticks);
    if (at * TICK > LONGEST) {
      throw new StormError(
        "Cannot finish the storm: readers still come after a day of it, take fewer or raise --accepts",
      );
    }
    if (at >= this.#first.length) {
      const longer = new Int32Array(2 * at).fill(NOBODY);
      longer.set(this.#first);
      this.#first = longer;
    }
    this.#next[reader] = this.#first[at];
    this.#first[at] = reader;
    this.#waiting++;
  }

  #lose(reader: number, cause: unknown): void {
    this.storm.losses++;
    this.#count(this.storm.leaves);
    this.storm.sessions[this.#process[reader]]--;
    this.#process[reader] = AWAY;
    const healthy = (this.#now - this.#since[reader]) * TICK >= this.#policy.resetAfter;
    if (healthy) this.#losses[reader] = 0;
    this.#since[reader] = this.#now;
    this.#attempts[reader] = 0;
    this.#wait(reader, cause, undefined);
  }

  /** Waits as the policy of the client has it, if it has it wait. */
  #wait(reader: number, cause: unknown, retryAfter: number | undefined): void {
    const told = this.#told[reader];
    const decision = decideRetry(this.#retry, this.#policy, {
      attempt: ++this.#losses[reader],
      cause,
      lastEventId: "",
      retry: Number.isNaN(told) ? undefined : told,
      retryAfter,
    }, this.#random);
    if (typeof decision === "number") this.#schedule(reader, Math.ceil(decision / TICK));
    else this.storm.gone++;
  }

  #attempt(reader: number): void {
    const { accepts, refuse, maxSessions } = this.#options;
    const { storm } = this;
    this.#attempts[reader]++;
    this.#tenth++;
    this.#count(storm.attempts);
    const process = this.#balance();
    if (process === AWAY) return this.#refuse(reader, "reset");
    if (++this.#asked[process] > accepts) return this.#refuse(reader, refuse);
    if (storm.sessions[process] >= maxSessions) return this.#refuse(reader, "503");
    this.#open(reader, process);
  }

  /** A process that takes connections, as a load balancer that knows of them has it. */
  #balance(): number {
    if (this.#now < this.#up) return AWAY;
    const { processes } = this.#options;
    if (this.#down === AWAY) return Math.floor(this.#random() * processes);
    const process = Math.floor(this.#random() * (processes - 1));
    return process < this.#down ? process : process + 1;
  }

  #refuse(reader: number, how: StormOptions["refuse"]): void {
    this.storm.refused++;
    if (how === "503") this.#wait(reader, BUSY, BUSY_FOR);
    else this.#wait(reader, CUT, undefined);
  }

  #open(reader: number, process: number): void {
    const { topics, rate } = this.#options;
    const { storm } = this;
    storm.back++;
    storm.mostSessions = Math.max(storm.mostSessions, ++storm.sessions[process]);
    const ticks = this.#now - this.#since[reader];
    storm.backAfter[ticks] = (storm.backAfter[ticks] ?? 0) + 1;
    const attempts = this.#attempts[reader];
    storm.backAtAttempt[attempts] = (storm.backAtAttempt[attempts] ?? 0) + 1;
    const missed = rate * ticks / SECOND;
    this.#count(storm.connects);
    this.#count(storm.reads, topics * (1 - Math.exp(-missed)));
    this.#count(storm.replayed, topics * missed);
    this.#process[reader] = process;
    this.#since[reader] = this.#now;
  }

  #count(bySecond: number[], what = 1): void {
    const second = Math.floor(this.#now / SECOND);
    while (bySecond.length <= second) bySecond.push(0);
    bySecond[second] += what;
  }
}

/** How a browser waits: always as long, and a refusal is final (T19). */
function browserRetry(): RetryFunction {
  const source = EventSource.fromReadableStream(new ReadableStream());
  const { reconnectionTime } = source;
  source.close();
  return ({ cause, retry }) => cause instanceof ResponseError ? false : retry ?? reconnectionTime;
}

/** A session that is read, so that what it is told leaves at once. */
class Session extends Outbox {
  static readonly #settings = {
    maxQueueBytes: Infinity,
    slowConsumer: "disconnect",
    keepAlive: false,
    maxAge: undefined,
  } as const;
  retry: number | undefined = undefined;

  constructor(onEnd: (session: Session) => void) {
    super(Session.#settings, { onEnd: () => onEnd(this) });
    this.pull();
  }

  override push(item: QueueItem, now?: number): Pushed {
    const parser = new ServerSentEventParser();
    parser.feed(item.bytes);
    this.retry = parser.retry;
    return super.push(item, now);
  }
}

/** Sends readers away as a server does; who leaves when, and what it is told. */
async function drainReaders(
  readers: readonly number[],
  over: number,
  retry: number,
  random: () => number,
): Promise<Leave[]> {
  const leaves: Leave[] = [];
  await inVirtualTime(random, async () => {
    const start = performance.now();
    const sessions = readers.map((reader) =>
      new Session(({ retry }) => {
        leaves.push({ reader, tick: Math.ceil((performance.now() - start) / TICK), retry });
      })
    );
    await endAll(sessions, { reason: { reason: "drained" }, over, retry });
  });
  return leaves;
}

/** Runs what waits by timers without waiting, and by chance without chance. */
async function inVirtualTime(random: () => number, run: () => Promise<void>): Promise<void> {
  const clock = FakeTimers.install({
    toFake: ["setTimeout", "clearTimeout", "performance"],
    // Others may have sessions, and timers for them.
    shouldClearNativeTimers: true,
  });
  const chance = Math.random;
  Math.random = random;
  try {
    let over = false;
    const running = run().finally(() => over = true);
    // Told by the last line.
    running.catch(() => {});
    while (!over) {
      await setImmediate();
      clock.next();
    }
    await running;
  } finally {
    Math.random = chance;
    clock.uninstall();
  }
}

// What is printed

/** The value that a share of all that were counted does not exceed; `NaN` if none was. */
export function percentile(counts: readonly number[], share: number): number {
  const total = counts.reduce((sum, count) => sum + (count ?? 0), 0);
  let sum = 0;
  for (let value = 0; value < counts.length; value++) {
    sum += counts[value] ?? 0;
    if (sum > 0 && sum >= share * total) return value;
  }
  return NaN;
}

function most(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** The rate that a share of the seconds does not exceed, from the first connect to the last. */
function rateOf(bySecond: readonly number[], share: number): number {
  const busy = bySecond.slice(bySecond.findIndex((count) => count > 0)).sort((a, b) => a - b);
  return busy.length === 0 ? 0 : busy[Math.ceil(share * busy.length) - 1];
}

/** The figures of a storm, by their names. */
export function figures(storm: Storm): [name: string, figure: string][] {
  const count = (value: number) => Math.round(value).toLocaleString("en-US");
  const seconds = (share: number) => {
    const ticks = percentile(storm.backAfter, share);
    return Number.isNaN(ticks) ? "-" : `${(ticks / SECOND).toFixed(2)} s`;
  };
  const attempts = storm.backAtAttempt;
  const sum = attempts.reduce((sum, count, attempt) => sum + (count ?? 0) * attempt, 0);
  return [
    ["connections lost", count(storm.losses)],
    ["of them back again", count(storm.back)],
    ["of them gone for good", count(storm.gone)],
    ["attempts that were refused", count(storm.refused)],
    ["peak attempts, in 1 s", count(most(storm.attempts))],
    ["peak attempts, in 0.1 s", count(storm.busiestTenth)],
    ["peak connects/s", count(most(storm.connects))],
    ["connects/s, 99 % of the seconds", count(rateOf(storm.connects, 0.99))],
    ["connects/s, 50 % of the seconds", count(rateOf(storm.connects, 0.5))],
    ["50 % back within", seconds(0.5)],
    ["99 % back within", seconds(0.99)],
    ["100 % back within", seconds(1)],
    ["over after", `${storm.connects.length} s`],
    ["attempts until back, mean", storm.back === 0 ? "-" : (sum / storm.back).toFixed(2)],
    ["attempts until back, most", count(Math.max(0, attempts.length - 1))],
    ["peak replay reads/s", count(most(storm.reads))],
    ["peak replayed events/s", count(most(storm.replayed))],
    ["most sessions of a process", count(storm.mostSessions)],
    ["in the end, of the emptiest", count(Math.min(...storm.sessions))],
    ["in the end, of the fullest", count(most(storm.sessions))],
  ];
}

/** Figures side by side, a column for each client. */
function table(title: string, columns: { name: string; storm: Storm }[]): string {
  const all = columns.map(({ storm }) => figures(storm));
  const head = title.padEnd(34) + columns.map(({ name }) => name.padStart(16)).join("");
  const rows = all[0].map(([name], row) =>
    name.padEnd(34) + all.map((figures) => figures[row][1].padStart(16)).join("")
  );
  return [head, ...rows].join("\n");
}

// The command line

const USAGE = `usage: deno run tools/storm.ts [flags]     times are in ms
  --scenario NAME     crash (one process dies), outage (all are away), rolling (each is drained and
                      replaced in its turn), all; default: all
  --client NAME       connect (ours), event-source (of a browser), both; default: both
  --readers N         from 1 to 10,000,000; default: 1,000,000
  --processes N       from 1 to 10,000, 2 at least unless it is an outage; default: 20
  --outage MS         how long all are away; default: 60000
  --drain MS          the drain of each process in a rolling deploy; default: 30000
  --accepts N         connections that a process takes in a second; default: no limit
  --refuse HOW        what it does with those beyond: reset, 503; default: reset
  --max-sessions N    sessions of a process, beyond them 503; default: no limit
  --retry MS          the reconnection time that the server has told; default: none
  --jitter SHARE      of the policy of connect, from 0 to 1; default: that of the client
  --max-delay MS      of the policy of connect; default: that of the client
  --topics N          topics of a reader; default: 1
  --rate N            events a second of each topic; default: 1
  --seed N            the same seed prints the same; default: by chance`;

const FLAGS = {
  "scenario": { type: "string" },
  "client": { type: "string" },
  "readers": { type: "string" },
  "processes": { type: "string" },
  "outage": { type: "string" },
  "drain": { type: "string" },
  "accepts": { type: "string" },
  "refuse": { type: "string" },
  "max-sessions": { type: "string" },
  "retry": { type: "string" },
  "jitter": { type: "string" },
  "max-delay": { type: "string" },
  "topics": { type: "string" },
  "rate": { type: "string" },
  "seed": { type: "string" },
  "help": { type: "boolean" },
} as const;

/** What to simulate: each scenario with each client. `undefined` if help is asked for. */
export function parseFlags(args: string[]): StormOptions[] | undefined {
  const values = flagsOf(args);
  if (values.help) return undefined;
  const number = (name: NumberFlag, least: number, most: number, otherwise: number) =>
    numberOf(name, values[name], least, most) ?? otherwise;
  const HOUR = 3_600_000;
  const common = {
    readers: number("readers", 1, 10_000_000, 1_000_000),
    processes: number("processes", 1, 10_000, 20),
    outage: number("outage", 0, HOUR, 60_000),
    drain: number("drain", 0, HOUR, 30_000),
    accepts: number("accepts", 1, 1e9, Infinity),
    maxSessions: number("max-sessions", 1, 1e9, Infinity),
    retry: numberOf("retry", values.retry, 100, HOUR),
    jitter: numberOf("jitter", values.jitter, 0, 1, true),
    maxDelay: numberOf("max-delay", values["max-delay"], 100, HOUR),
    topics: number("topics", 1, 10_000, 1),
    rate: numberOf("rate", values.rate, 0, 1e6, true) ?? 1,
    seed: number("seed", 0, 2 ** 32 - 1, Math.floor(Math.random() * 2 ** 32)),
    refuse: nameOf("refuse", values.refuse ?? "reset", REFUSALS),
  };
  const scenario = nameOf("scenario", values.scenario ?? "all", [...SCENARIOS, "all"]);
  const client = nameOf("client", values.client ?? "both", [...CLIENTS, "both"]);
  const scenarios = scenario === "all" ? SCENARIOS : [scenario];
  const clients = client === "both" ? CLIENTS : [client];
  for (const scenario of scenarios) checkRoom(scenario, common);
  return scenarios.flatMap((scenario) =>
    clients.map((client) => ({ ...common, scenario, client }))
  );
}

function flagsOf(
  args: string[],
): { [Name in NumberFlag | NameFlag]?: string } & { help?: boolean } {
  try {
    return parseArgs({ args, options: FLAGS }).values;
  } catch (error) {
    throw new StormError(error instanceof Error ? error.message : String(error));
  }
}

type NameFlag = "scenario" | "client" | "refuse";
type NumberFlag = Exclude<keyof typeof FLAGS, NameFlag | "help">;

function numberOf(
  name: NumberFlag,
  text: string | undefined,
  least: number,
  most: number,
  fraction = false,
): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= least && value <= most && (fraction || Number.isInteger(value))) return value;
  const kind = fraction ? "a number" : "an integer";
  throw new StormError(
    `Cannot simulate: --${name} must be ${kind} from ${least} to ${most}: received "${text}"`,
  );
}

function nameOf<Name extends string>(flag: NameFlag, text: string, names: readonly Name[]): Name {
  const name = names.find((name) => name === text);
  if (name !== undefined) return name;
  throw new StormError(
    `Cannot simulate: --${flag} must be ${names.join(", ")}: received "${text}"`,
  );
}

/** Refuses what has no end: readers for whom there is no room. */
function checkRoom(
  scenario: StormOptions["scenario"],
  { readers, processes, maxSessions }: Pick<StormOptions, "readers" | "processes" | "maxSessions">,
): void {
  const left = scenario === "outage" ? processes : processes - 1;
  if (left === 0) {
    throw new StormError(
      `Cannot simulate: with 1 process nobody is left to come back to in "${scenario}", give --processes 2 or more`,
    );
  }
  if (left * maxSessions >= readers) return;
  throw new StormError(
    `Cannot simulate: ${left} processes with --max-sessions ${maxSessions} have no room for ${readers} readers in "${scenario}"`,
  );
}

/** The command line; returns the exit status. */
export async function main(args: string[]): Promise<number> {
  try {
    const runs = parseFlags(args);
    if (runs === undefined) {
      console.log(USAGE);
      return 0;
    }
    const [{ readers, processes, seed }] = runs;
    console.log(`${readers} readers, ${processes} processes, seed ${seed}`);
    for (const scenario of new Set(runs.map(({ scenario }) => scenario))) {
      const columns = [];
      for (const run of runs.filter((run) => run.scenario === scenario)) {
        const storm = await simulate(run, (ms, { back, losses }) => {
          console.error(`${scenario}, ${run.client}: ${ms / 1_000} s, ${back} of ${losses} back`);
        });
        columns.push({ name: run.client, storm });
      }
      console.log(`\n${table(scenario, columns)}`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof StormError)) throw error;
    console.error(`${error.message}\n--help lists the flags`);
    return 2;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
