import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { readEvents } from "../../parse.ts";
import { Channel } from "../../server.ts";
import { within } from "../fault/real_time.ts";
import {
  CLIENTS,
  DRAIN_RETRY,
  figures,
  main,
  parseFlags,
  percentile,
  SCENARIOS,
  simulate,
  type Storm,
  StormError,
  type StormOptions,
} from "../../tools/storm.ts";

const OPTIONS: StormOptions = {
  scenario: "crash",
  client: "connect",
  readers: 20_000,
  processes: 4,
  outage: 20_000,
  drain: 10_000,
  accepts: Infinity,
  refuse: "reset",
  maxSessions: Infinity,
  topics: 1,
  rate: 1,
  seed: 7,
};

function storm(options: Partial<StormOptions>): Promise<Storm> {
  return simulate({ ...OPTIONS, ...options });
}

function sum(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + (value ?? 0), 0);
}

/** The seconds in which something was, and how much. */
function entries(bySecond: readonly number[]): [second: number, count: number][] {
  return [...bySecond.entries()].filter(([, count]) => count > 0);
}

const NARROW: Partial<StormOptions> = { accepts: 300, maxSessions: 1_400 };

for (const scenario of SCENARIOS) {
  for (const client of CLIENTS) {
    for (const limits of [{}, NARROW, { ...NARROW, refuse: "503" } as const]) {
      const title = `${scenario}, ${client}, ${JSON.stringify(limits)}`;
      Deno.test(`simulate has each reader come back once for each loss, or give up: ${title}`, async () => {
        const readers = 4_000;
        const result = await storm({ scenario, client, readers, ...limits });
        const { losses, back, gone, refused, sessions } = result;
        assert(losses > 0);
        assertEquals(back + gone, losses);
        assertEquals(sum(result.leaves), losses);
        assertEquals(sum(result.connects), back);
        assertEquals(sum(result.attempts), back + refused);
        assertEquals([sum(result.backAfter), sum(result.backAtAttempt)], [back, back]);
        assertEquals(sum(sessions), readers - gone);
        if (client === "connect") assertEquals(gone, 0);
        if (scenario !== "rolling") assertEquals(losses, scenario === "crash" ? 1_000 : readers);
      });
    }
  }
}

Deno.test("simulate spreads readers of connect over the first wait of the policy", async () => {
  const { losses, busiestTenth, backAfter } = await storm({});
  // Of 1,000 ms a tenth each, and a tenth of all that would have waited less than 100 ms.
  assert(busiestTenth <= 0.22 * losses, `${busiestTenth} of ${losses}`);
  assertEquals([percentile(backAfter, 0), percentile(backAfter, 1)], [10, 100]);
  assertAlmostEquals(percentile(backAfter, 0.5), 50, 3);
});

Deno.test("simulate spreads readers over the reconnection time that they were told", async () => {
  const { losses, attempts, busiestTenth } = await storm({ retry: 10_000 });
  assert(Math.max(...attempts) <= 0.12 * losses);
  assert(busiestTenth <= 0.03 * losses);
});

Deno.test("simulate has an EventSource come back in one moment, and connect without jitter", async () => {
  for (const [options, second] of [[{ client: "event-source" }, 3], [{ jitter: 0 }, 1]] as const) {
    const { losses, busiestTenth, connects } = await storm(options);
    assertEquals([busiestTenth, entries(connects)], [losses, [[second, losses]]]);
  }
});

Deno.test("simulate drains a process evenly, and one after the other", async () => {
  const { leaves, connects } = await storm({ scenario: "rolling" });
  // 5,000 over 10 s; those of the others have got some from the ones before.
  for (let second = 1; second < 10; second++) assertAlmostEquals(leaves[second], 500, 5);
  for (let second = 11; second < 20; second++) assertAlmostEquals(leaves[second], 667, 40);
  assertEquals(leaves.length, 41);
  assert(Math.max(...connects) <= 1.2 * Math.max(...leaves));
});

Deno.test("simulate tells those that are drained to wait, once to twice as long", async () => {
  for (const [retry, least] of [[undefined, DRAIN_RETRY], [5_000, 5_000]] as const) {
    const { backAfter } = await storm({ scenario: "rolling", client: "event-source", retry });
    assertAlmostEquals(percentile(backAfter, 0) * 10, least, 20);
    assertAlmostEquals(percentile(backAfter, 0.5) * 10, 1.5 * least, 0.03 * least);
    assertAlmostEquals(percentile(backAfter, 1) * 10, 2 * least, 20);
  }
});

Deno.test("simulate has the first wait again after a connection that was healthy", async () => {
  const { losses, backAfter, backAtAttempt } = await storm({ scenario: "rolling", drain: 15_000 });
  // Many have lost two connections.
  assert(losses > 1.5 * OPTIONS.readers);
  assert(percentile(backAfter, 1) * 10 <= 2 * DRAIN_RETRY);
  assertEquals(backAtAttempt.slice(1), [losses]);
});

Deno.test("simulate has the process that is drained last hold most, and be empty in the end", async () => {
  const { sessions, mostSessions } = await storm({ scenario: "rolling" });
  assert(sessions[3] < 0.02 * OPTIONS.readers, `${sessions}`);
  assert(sessions[0] > 0.3 * OPTIONS.readers, `${sessions}`);
  // It has got a third of each of the others, and of what those had got; some are still on their way.
  assertAlmostEquals(mostSessions, 5_000 * (4 / 3) ** 3, 600);
});

Deno.test("DRAIN_RETRY is what a channel tells that has no retry of its own", async () => {
  const channel = new Channel();
  const reader = readEvents(channel.subscribe(new Request("http://localhost/")));
  let told: number | undefined;
  const events = readEvents(channel.subscribe(new Request("http://localhost/")), {
    onRetry: (ms) => told = ms,
  });
  const { random } = Math;
  try {
    Math.random = () => 0;
    const ended = Promise.all([Array.fromAsync(events), Array.fromAsync(reader)]);
    await channel.close({ drain: 20 });
    await within(ended, 5_000, () => "The readers are not sent away");
  } finally {
    Math.random = random;
  }
  assertEquals(told, DRAIN_RETRY);
});

// 10 readers lose their process, the other one takes 4 a second.
const FEW: Partial<StormOptions> = { readers: 20, processes: 2, accepts: 4, jitter: 0 };

Deno.test("simulate has refused readers wait longer each time, as the policy has it", async () => {
  const { attempts, connects, refused, backAtAttempt } = await storm(FEW);
  // After 1 s, 2 s more, 4 s more.
  assertEquals(entries(attempts), [[1, 10], [3, 6], [7, 2]]);
  assertEquals(entries(connects), [[1, 4], [3, 4], [7, 2]]);
  assertEquals([refused, backAtAttempt.slice(1)], [8, [4, 4, 2]]);
});

Deno.test("simulate has no wait grow beyond the longest", async () => {
  const { attempts } = await storm({ ...FEW, maxDelay: 1_500 });
  // At 1 s, 2.5 s and 4 s.
  assertEquals(entries(attempts), [[1, 10], [2, 6], [4, 2]]);
});

Deno.test("simulate has readers that get a 503 wait for Retry-After", async () => {
  const { attempts } = await storm({ ...FEW, refuse: "503" });
  assertEquals(entries(attempts), [[1, 10], [6, 6], [11, 2]]);
});

Deno.test("simulate has an EventSource that gets a 503 give up", async () => {
  const { back, gone, attempts } = await storm({ ...FEW, refuse: "503", client: "event-source" });
  assertEquals([back, gone, entries(attempts)], [4, 6, [[3, 10]]]);
});

Deno.test("simulate has an EventSource that is cut come again, as long after", async () => {
  const { gone, attempts } = await storm({ ...FEW, client: "event-source" });
  assertEquals([gone, entries(attempts)], [0, [[3, 10], [6, 6], [9, 2]]]);
});

Deno.test("simulate has nobody come in while all are away", async () => {
  for (const client of CLIENTS) {
    const { connects, attempts } = await storm({ scenario: "outage", client });
    assertEquals(sum(connects.slice(0, 20)), 0);
    assert(sum(attempts.slice(0, 20)) > OPTIONS.readers);
  }
});

Deno.test("simulate has no process take more than it takes in a second, or holds", async () => {
  const { connects, sessions, refused } = await storm({ scenario: "outage", accepts: 100 });
  assert(refused > 0 && Math.max(...connects) <= 400);
  assertEquals(sum(sessions), OPTIONS.readers);
  const full = await storm({ scenario: "outage", maxSessions: 5_010 });
  assert(full.refused > 0 && Math.max(...full.sessions) <= 5_010);
});

Deno.test("simulate counts the reads of those who have missed something", async () => {
  const { losses, reads, replayed } = await storm({ jitter: 0, topics: 3, rate: 2 });
  // Away for 1 s: two events of each topic, and one at least with this likelihood.
  assertAlmostEquals(sum(replayed), 6 * losses, 1e-3);
  assertAlmostEquals(sum(reads), 3 * (1 - Math.exp(-2)) * losses, 1e-3);
  const idle = await storm({ rate: 0 });
  assertEquals([sum(idle.reads), sum(idle.replayed)], [0, 0]);
});

Deno.test("simulate does the same for the same seed", async () => {
  for (const scenario of SCENARIOS) {
    const options = { scenario, readers: 2_000, accepts: 100 };
    const [first, again, other] = [
      await storm(options),
      await storm(options),
      await storm({ ...options, seed: 8 }),
    ];
    assertEquals(again, first);
    assert(JSON.stringify(other) !== JSON.stringify(first));
  }
});

Deno.test("simulate refuses a storm that does not end", async () => {
  // One an hour.
  const options: Partial<StormOptions> = { readers: 100, processes: 2, accepts: 1, jitter: 0 };
  await assertRejects(
    () => storm({ ...options, client: "event-source", retry: 3_600_000 }),
    StormError,
    "readers still come after a day of it",
  );
});

Deno.test("simulate leaves clock and chance as they were", async () => {
  const { random } = Math;
  const { setTimeout, performance } = globalThis;
  await storm({ scenario: "rolling", readers: 100 });
  assert(Math.random === random);
  assert(globalThis.setTimeout === setTimeout && globalThis.performance === performance);
});

Deno.test("percentile is the least value that a share does not exceed", () => {
  for (
    const [counts, share, value] of [
      [[0, 1], 1, 1],
      [[2, 1, 1], 0.5, 0],
      [[2, 1, 1], 0.51, 1],
      [[2, 1, 1], 1, 2],
      [[0, 0, 5], 0, 2],
      [[], 0.5, NaN],
    ] as const
  ) assertEquals(percentile(counts, share), value);
});

Deno.test("figures of a storm in which all give up name no time", async () => {
  const options: Partial<StormOptions> = { readers: 20, processes: 2, maxSessions: 10 };
  const all = await storm({ ...options, client: "event-source" });
  const byName = new Map(figures(all));
  const names = ["of them gone for good", "100 % back within", "attempts until back, mean"];
  assertEquals(names.map((name) => byName.get(name)), ["10", "-", "-"]);
});

// The command line

/** What the command line prints. */
async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const { log, error } = console;
  const lines = { out: [] as string[], err: [] as string[] };
  console.log = (line) => lines.out.push(line);
  console.error = (line) => lines.err.push(line);
  try {
    const status = await main(args);
    return { status, out: lines.out.join("\n"), err: lines.err.join("\n") };
  } finally {
    console.log = log;
    console.error = error;
  }
}

Deno.test("main prints a table for each scenario, and the seed that prints it again", async () => {
  const args = ["--readers", "500", "--processes", "5"];
  const { status, out, err } = await run(...args);
  assertEquals([status, err], [0, ""]);
  const seed = /^500 readers, 5 processes, seed (\d+)\n/.exec(out)?.[1] ?? "";
  for (const name of SCENARIOS) assert(out.includes(`\n\n${name} `), out);
  assertEquals((await run(...args, "--seed", seed)).out, out);
});

Deno.test("main has one column for one client", async () => {
  const { out } = await run(
    ...["--readers", "40", "--seed", "1", "--scenario", "crash", "--client", "connect"],
  );
  assert(/\n\ncrash +connect\nconnections lost +2\n/.test(out), out);
});

Deno.test("main lists its flags", async () => {
  const { status, out } = await run("--help");
  assertEquals(status, 0);
  for (const flag of ["--readers", "--drain", "--max-sessions", "--seed"]) {
    assert(out.includes(`  ${flag} `), flag);
  }
});

Deno.test("main refuses flags that make no sense with a sentence and status 2", async () => {
  for (
    const [args, message] of [
      [["--readers", "0"], '--readers must be an integer from 1 to 10000000: received "0"'],
      [["--readers", "1.5"], '--readers must be an integer from 1 to 10000000: received "1.5"'],
      [["--readers", ""], '--readers must be an integer from 1 to 10000000: received ""'],
      [["--processes", "many"], '--processes must be an integer from 1 to 10000: received "many"'],
      [["--processes", "1"], "with 1 process nobody is left to come back to"],
      [["--retry", "0"], '--retry must be an integer from 100 to 3600000: received "0"'],
      [["--jitter", "2"], '--jitter must be a number from 0 to 1: received "2"'],
      [["--scenario", "flood"], "--scenario must be crash, outage, rolling, all: received"],
      [["--client", "curl"], "--client must be connect, event-source, both: received"],
      [["--refuse", "404"], "--refuse must be reset, 503: received"],
      [["--max-sessions", "100"], "have no room for 1000000 readers"],
      [["--colour"], "--colour"],
      [["--readers"], "--readers"],
      [["more"], "more"],
    ] as const
  ) {
    const { status, out, err } = await run(...args);
    assertEquals([status, out], [2, ""]);
    assert(err.includes(message), err);
    assert(err.endsWith("\n--help lists the flags"), err);
  }
});

Deno.test("parseFlags takes one process where all are away, which come back", () => {
  assertEquals(parseFlags(["--scenario", "outage", "--processes", "1"])?.length, 2);
  assertThrows(() => parseFlags(["--scenario", "rolling", "--processes", "1"]), StormError);
});
