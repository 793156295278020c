/**
 * Prints how many events a second `SqliteEventLog` appends, against what is written by hand: prepared
 * inserts into the same kind of table, one transaction a turn, with the same pragmas.
 *
 * ```sh
 * deno run -A bench/log_sqlite.ts
 * ```
 *
 * A number as argument scales the rounds; a small one shows that all runs. What counts is the time on
 * the wall, for most of it is the disk's.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import { SqliteEventLog } from "../log/sqlite.ts";
import { median } from "./measure.ts";

/** How many appends are in a turn, and how many turns make a round. */
const LOADS = [
  { appends: 1, turns: 300 },
  { appends: 10, turns: 200 },
  { appends: 100, turns: 60 },
];

const ROUNDS = 15;

/** What must be reached of what is written by hand. */
const GOAL = 0.7;

/** Topics that the events of a turn go to, one after the other. */
const TOPICS = ["a", "b", "c", "d"];

const DATA = "x".repeat(100);

/** What a load has shown. */
export interface SqliteRates {
  /** How many appends are in a turn. */
  appends: number;
  /** Events a second of the log. */
  log: number;
  /** Events a second of the inserts by hand. */
  bare: number;
  /** The first over the second. */
  ratio: number;
}

/** One who appends: so many events in each of so many turns. */
interface Contestant {
  append(turns: number, appends: number): Promise<void>;
  /** All that is held: the topic, the number, the data. */
  rows(): [string, number, string][];
  close(): Promise<void>;
}

/**
 * Times appends.
 *
 * @param rounds How many rounds there are of each load.
 * @returns What each load has shown.
 */
export async function compareSqlite(rounds: number): Promise<SqliteRates[]> {
  const folder = await Deno.makeTempDir({ prefix: "sse-bench-" });
  try {
    const results: SqliteRates[] = [];
    for (const { appends, turns } of LOADS) {
      const log = openLog(`${folder}/log-${appends}.db`);
      const bare = openBare(`${folder}/bare-${appends}.db`);
      for (const contestant of [log, bare]) await contestant.append(4, appends);
      assertEquals(log.rows(), bare.rows(), "both hold the same rows");
      const times = { log: [] as number[], bare: [] as number[] };
      for (let round = 0; round < rounds; round++) {
        const order = round % 2 === 0 ? ["log", "bare"] as const : ["bare", "log"] as const;
        for (const name of order) {
          const contestant = name === "log" ? log : bare;
          const start = performance.now();
          await contestant.append(turns, appends);
          times[name].push(performance.now() - start);
        }
      }
      await log.close();
      await bare.close();
      const rate = (name: "log" | "bare") => 1_000 * turns * appends / median(times[name]);
      const [ours, theirs] = [rate("log"), rate("bare")];
      results.push({ appends, log: ours, bare: theirs, ratio: ours / theirs });
    }
    return results;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** With its default bounds: it deletes, which the other one does not. */
function openLog(path: string): Contestant {
  const log = new SqliteEventLog(path);
  let next = 0;
  return {
    async append(turns, appends) {
      for (let turn = 0; turn < turns; turn++) {
        const ids: Promise<string>[] = [];
        for (let n = 0; n < appends; n++) {
          ids.push(log.append(TOPICS[next++ % TOPICS.length], { event: "tick", data: DATA }));
        }
        await Promise.all(ids);
      }
    },
    rows: () =>
      rowsOf(
        path,
        "SELECT name, seq, record FROM sse_events e JOIN sse_topics t ON t.id = e.topic ORDER BY e.id",
      ),
    close: () => log.close(),
  };
}

/** By hand, with a number for each event of a topic, which is what a reader can resume from. */
function openBare(path: string): Contestant {
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE events (
      id INTEGER PRIMARY KEY,
      topic TEXT NOT NULL,
      seq INTEGER NOT NULL,
      record TEXT NOT NULL,
      UNIQUE (topic, seq)
    );
  `);
  const [begin, commit] = [database.prepare("BEGIN IMMEDIATE"), database.prepare("COMMIT")];
  const insert = database.prepare("INSERT INTO events (topic, seq, record) VALUES (?, ?, ?)");
  const heads = new Map<string, number>();
  let next = 0;
  return {
    async append(turns, appends) {
      for (let turn = 0; turn < turns; turn++) {
        begin.run();
        for (let n = 0; n < appends; n++) {
          const topic = TOPICS[next++ % TOPICS.length];
          const seq = (heads.get(topic) ?? 0) + 1;
          heads.set(topic, seq);
          insert.run(topic, seq, JSON.stringify({ event: "tick", data: DATA }));
        }
        commit.run();
        await new Promise<void>((resolve) => void setImmediate(resolve));
      }
    },
    rows: () => rowsOf(path, "SELECT topic, seq, record FROM events ORDER BY id"),
    close() {
      database.close();
      return Promise.resolve();
    },
  };
}

function rowsOf(path: string, sql: string): [string, number, string][] {
  const database = new DatabaseSync(path);
  try {
    return database.prepare(sql).all().map((row) => {
      const [topic, seq, record] = Object.values(row);
      return [String(topic), Number(seq), String(record)];
    });
  } finally {
    database.close();
  }
}

if (import.meta.main) {
  const scale = Number(Deno.args[0] ?? 1);
  if (!(scale > 0)) {
    throw new RangeError(`The scale must be a number above 0: received ${Deno.args[0]}`);
  }
  const format = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  console.log("appends a turn   SqliteEventLog/s   by hand/s   ratio");
  for (const { appends, log, bare, ratio } of await compareSqlite(Math.ceil(ROUNDS * scale))) {
    const columns = [
      String(appends).padEnd(14),
      format.format(log).padStart(18),
      format.format(bare).padStart(11),
      `${ratio.toFixed(2)}x`.padStart(7),
    ];
    console.log(columns.join(" ") + (ratio < GOAL ? `  MISSED ${GOAL}x` : ""));
  }
}
