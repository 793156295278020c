/** {@linkcode Hub.revokeUser}: what one process tells all others, whatever becomes of the log. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { LogUnavailableError } from "../../errors.ts";
import {
  type Authorization,
  Channel,
  type EventLog,
  Hub,
  type HubOptions,
  MemoryEventLog,
} from "../../server.ts";
import {
  CONTROL_TOPIC,
  MAX_ASKED,
  MAX_COUNTS,
  MAX_USER_LENGTH,
  parseMessage,
  partCounts,
} from "../../server/control.ts";
import { checkPattern, checkTopic } from "../../server/patterns.ts";
import { property, requestAfter as request, unhandled } from "../helpers.ts";
import { Line, Visitor } from "./processes.ts";
import { inAllOrders, quiet, SteppedEventLog } from "./scheduler.ts";

/** Hubs in as many processes, on one log. */
class Fleet<A extends Authorization> implements AsyncDisposable {
  readonly log = new MemoryEventLog();
  readonly lines: Line[] = [];
  readonly hubs: Hub<unknown, A>[] = [];

  constructor(count: number, options: HubOptions<unknown, A> = {}) {
    for (let i = 0; i < count; i++) {
      const line = new Line(this.log);
      this.lines.push(line);
      this.hubs.push(new Hub<unknown, A>({ keepAlive: false, ...options, log: line }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What was opened and is not read must not be waited for.
    for (const hub of this.hubs) {
      hub.revoke(() => true);
      await hub.close();
    }
    await this.log.close();
    for (const { follows } of this.lines) assertEquals(follows, []);
  }
}

function states(visitors: Iterable<Visitor>): string[] {
  return Array.from(visitors, ({ state }) => state);
}

// Who is ended

Deno.test("Hub.revokeUser ends the sessions of a user in all processes, and no others", async () => {
  await using fleet = new Fleet(3);
  const of = (user?: string) => fleet.hubs.map((hub) => new Visitor(hub, ["news"], { user }));
  const [eve, ann, nobody] = [of("eve"), of("ann"), of()];
  await quiet();
  const done = fleet.hubs[0].revokeUser("eve");
  assertEquals(eve[0].state, "revoked");
  await done;
  assertEquals(states(eve), ["revoked", "revoked", "revoked"]);
  assertEquals(states([...ann, ...nobody]), new Array(6).fill("open"));
  // She may come back: it is for authorize to say.
  const again = new Visitor(fleet.hubs[1], ["news"], { user: "eve" });
  await quiet();
  assertEquals(again.state, "open");
});

Deno.test("Hub.revokeUser of a process without sessions follows nothing", async () => {
  await using fleet = new Fleet(2);
  const eve = new Visitor(fleet.hubs[1], ["news"], { user: "eve" });
  await quiet();
  await fleet.hubs[0].revokeUser("eve");
  assertEquals([eve.state, fleet.lines[0].follows], ["revoked", []]);
});

Deno.test("Channel.revokeUser ends who reads its topic everywhere, by name or by pattern", async () => {
  await using fleet = new Fleet(2);
  const open = (topics: string[]) =>
    fleet.hubs.map((hub) => new Visitor(hub, topics, { user: "eve" }));
  const reading = [open(["rooms/7"]), open(["other", "rooms/:id"]), open(["*"])].flat();
  const others = [open(["rooms/8"]), open(["rooms"]), open(["rooms/7/*"])].flat();
  await quiet();
  await fleet.hubs[1].channel("rooms/7").revokeUser("eve");
  assertEquals(states(reading), new Array(6).fill("revoked"));
  assertEquals(states(others), new Array(6).fill("open"));
});

Deno.test("Channel.revokeUser leaves other channels on the log alone", async () => {
  await using log = new MemoryEventLog();
  const channels = ["a", "b", "a"].map((topic) => new Channel({ topic, log, keepAlive: false }));
  const open = channels.map((channel) => channel.subscribe(request(), { user: "eve" }));
  await quiet();
  await channels[0].revokeUser("eve");
  assertEquals(channels.map(({ size }) => size), [0, 1, 0]);
  for (const { body } of open) await body?.cancel();
  for (const channel of channels) await channel.close();
});

Deno.test("Hub.revokeUser with a log of its own ends the sessions that it has", async () => {
  await using hub = new Hub();
  const [eve, ann] = ["eve", "ann"].map((user) => new Visitor(hub, ["*"], { user }));
  await quiet();
  await hub.revokeUser("eve");
  assertEquals(states([eve, ann]), ["revoked", "open"]);
  await ann.leave();
});

Deno.test("Hub.revokeUser ends a session that is opened by a hook of its own coming", async () => {
  await using fleet = new Fleet(1, {
    onSession: (_, change) => void (change === "join" && fleet.hubs[0].revokeUser("eve")),
  });
  const eve = new Visitor(fleet.hubs[0], ["news"], { user: "eve" });
  assertEquals(eve.state, "revoked");
  await quiet();
});

for (const user of ["", "x".repeat(MAX_USER_LENGTH + 1), 7, null, {}]) {
  Deno.test(`SubscribeOptions.user and Hub.revokeUser refuse ${JSON.stringify(user).slice(0, 9)}`, async () => {
    await using fleet = new Fleet(1);
    const [hub] = fleet.hubs;
    const options = { topics: ["a"], user: JSON.parse(JSON.stringify(user)) };
    assertThrows(() => hub.subscribe(request(), options), TypeError, '"user" must be a string');
    await assertRejects(() => hub.revokeUser(options.user), TypeError, '"user" must be a string');
    assertEquals([hub.size, fleet.lines[0].told], [0, []]);
  });
}

Deno.test("Hub.revokeUser takes any text of the greatest length", async () => {
  await using fleet = new Fleet(2);
  const users = ['\ud800\n"', "__proto__", "x".repeat(MAX_USER_LENGTH)];
  const visitors = users.map((user) => new Visitor(fleet.hubs[0], ["a"], { user }));
  await quiet();
  for (const user of users) await fleet.hubs[1].revokeUser(user);
  assertEquals(states(visitors), ["revoked", "revoked", "revoked"]);
});

Deno.test("Hub.revokeUser rejects once the hub is closed", async () => {
  const hub = new Hub();
  await hub.close();
  await assertRejects(() => hub.revokeUser("eve"), TypeError, "revoke before the close");
});

// In a race with subscribe

for (
  const [topic, state] of [[undefined, "revoked"], ["news", "revoked"], ["b", "open"]] as const
) {
  Deno.test(`Hub.revokeUser while authorize is asked leaves the session ${state}, for the topic ${topic}`, async () => {
    const answers: ((allowed: boolean) => void)[] = [];
    const authorize = () => new Promise<boolean>((resolve) => void answers.push(resolve));
    await using fleet = new Fleet(2, { authorize });
    const ann = new Visitor(fleet.hubs[0], ["news"], { user: "ann" });
    answers.shift()?.(true);
    await quiet();
    // It was opened before it was known who is revoked.
    answers.shift()?.(true);
    await quiet();
    const eve = new Visitor(fleet.hubs[0], ["news"], { user: "eve" });
    if (topic === undefined) await fleet.hubs[1].revokeUser("eve");
    else await fleet.hubs[1].channel(topic).revokeUser("eve");
    assertEquals(eve.state, "open");
    answers.shift()?.(true);
    assertEquals((await eve.response).status, 200);
    await quiet();
    assertEquals([states([ann, eve]), answers.length], [["open", state], 0]);
  });
}

Deno.test("Hub.subscribe asks authorize again for who came before it was heard what others revoke", async () => {
  const allowed = new Set(["ann", "eve"]);
  const asked: string[] = [];
  await using fleet = new Fleet(2, {
    authorize: ({ headers }) => {
      const user = headers.get("user") ?? "";
      asked.push(user);
      return allowed.has(user);
    },
  });
  const [hub] = fleet.hubs;
  const [line] = fleet.lines;
  line.pause();
  const open = (user: string) => {
    const headers = { user };
    return hub.subscribe(new Request("http://sse.example/", { headers }), { topics: ["a"], user });
  };
  const [ann, eve] = [open("ann"), open("eve")];
  allowed.delete("eve");
  await fleet.hubs[1].revokeUser("eve");
  await quiet();
  assertEquals([asked, hub.size], [["ann", "eve"], 2]);
  line.resume();
  await quiet();
  assertEquals([asked, hub.size], [["ann", "eve", "ann", "eve"], 1]);
  // She was sent nothing, not even where she is.
  assertEquals(await eve.text(), ": \n\n");
  // From here on nobody is asked for twice.
  const late = open("ann");
  await quiet();
  assertEquals(asked.length, 5);
  for (const { body } of [ann, late]) await body?.cancel();
});

Deno.test("Hub.subscribe asks again for who was asked for before, and has come after", async () => {
  const answers: ((allowed: boolean) => void)[] = [];
  const authorize = () => new Promise<boolean>((resolve) => void answers.push(resolve));
  await using fleet = new Fleet(2, { authorize });
  const [eve, ann] = ["eve", "ann"].map((user) => new Visitor(fleet.hubs[0], ["a"], { user }));
  await fleet.hubs[1].revokeUser("eve");
  answers[1](true);
  await quiet();
  assertEquals(fleet.lines[0].follows.toSorted(), [CONTROL_TOPIC, "a"]);
  answers[0](true);
  await quiet();
  assertEquals(answers.length, 4);
  answers[2](true);
  answers[3](false);
  await quiet();
  assertEquals(states([eve, ann]), ["revoked", "open"]);
});

Deno.test("Hub asks authorize again for all users when messages may be lost, and ends whom it refuses", async () => {
  let asked = 0;
  let allowed = true;
  await using fleet = new Fleet(2, {
    authorize: () => {
      asked++;
      if (asked === 7) throw new Error("the database is away");
      return allowed;
    },
  });
  const [line] = fleet.lines;
  const open = (user?: string) => new Visitor(fleet.hubs[0], ["a"], { user });
  const [ann, nobody] = [open("ann"), open()];
  await quiet();
  const eve = open("eve");
  await quiet();
  assertEquals(asked, 4);
  // Of who has left nobody asks.
  await new Visitor(fleet.hubs[1], ["a"], { user: "gone" }).leave();
  await quiet();
  asked = 4;
  fleet.lines[1].gap();
  await quiet();
  assertEquals(asked, 4);
  line.gap();
  await quiet();
  assertEquals([asked, states([ann, eve, nobody])], [6, ["open", "open", "open"]]);
  allowed = false;
  line.gap();
  await quiet();
  // Not to know is not to allow.
  assertEquals([asked, states([ann, eve, nobody])], [8, ["error", "revoked", "open"]]);
});

Deno.test("Hub asks authorize again for who was asked for when messages were lost", async () => {
  const answers: ((allowed: boolean) => void)[] = [];
  const authorize = () => new Promise<boolean>((resolve) => void answers.push(resolve));
  await using fleet = new Fleet(1, { authorize });
  const ann = new Visitor(fleet.hubs[0], ["a"], { user: "ann" });
  answers[0](true);
  await quiet();
  answers[1](true);
  await quiet();
  const eve = new Visitor(fleet.hubs[0], ["a"], { user: "eve" });
  fleet.lines[0].gap();
  answers[2](true);
  answers[3](true);
  await quiet();
  assertEquals(answers.length, 5);
  answers[4](false);
  await quiet();
  assertEquals(states([ann, eve]), ["open", "revoked"]);
});

Deno.test("Hub.revokeUser leaves no session open, in whatever order a subscribe takes its steps", async () => {
  const ends = new Set<string>();
  const orders = await inAllOrders(async (schedule) => {
    const memory = new MemoryEventLog();
    const steps = { begin: true, follow: true, deliver: true };
    const stepped = new SteppedEventLog(schedule, memory, steps);
    const log: EventLog = {
      append: (topic, event) => memory.append(topic, event),
      read: (topic, options) => memory.read(topic, options),
      follow: (topic, options) =>
        (topic === CONTROL_TOPIC ? stepped : memory).follow(topic, options),
      close: () => Promise.resolve(),
    };
    let allowed = true;
    const authorize = async () => {
      await schedule.gate("look up");
      const found = allowed;
      await schedule.gate("answer");
      return found;
    };
    const hub = new Hub({ log, keepAlive: false, authorize });
    const admin = new Hub({ log: memory });
    const eve = new Visitor(hub, ["a"], { user: "eve" });
    schedule.script("revoke", [() => allowed = false, () => void admin.revokeUser("eve")]);
    await quiet();
    return async () => {
      const { status } = await eve.response;
      ends.add(status === 200 ? eve.state : String(status));
      assertEquals(hub.size, 0);
      for (const each of [hub, admin]) await each.close();
      assertEquals(stepped.follows, 0);
    };
  }, 1_000);
  assert(orders > 20, `${orders} orders`);
  assertEquals(ends, new Set(["403", "revoked"]));
});

// A log that is away

Deno.test("Hub.revokeUser rejects while the log is away, and has ended the sessions here", async () => {
  await using fleet = new Fleet(2);
  const eve = fleet.hubs.map((hub) => new Visitor(hub, ["news"], { user: "eve" }));
  await quiet();
  fleet.lines[0].away = true;
  await assertRejects(() => fleet.hubs[0].revokeUser("eve"), LogUnavailableError);
  assertEquals(states(eve), ["revoked", "open"]);
  fleet.lines[0].away = false;
  await fleet.hubs[0].revokeUser("eve");
  assertEquals(states(eve), ["revoked", "revoked"]);
});

Deno.test("Hub.subscribe ends who has a user while the log is away, and takes who comes when it is back", async () => {
  const told = await unhandled(async () => {
    await using fleet = new Fleet(2);
    const [hub] = fleet.hubs;
    const [line] = fleet.lines;
    line.away = true;
    const early = [["a"], ["a/*"]].map((topics) => new Visitor(hub, topics, { user: "eve" }));
    await quiet();
    assertEquals(states(early), ["error", "error"]);
    assert(early[0].ended?.cause instanceof LogUnavailableError);
    line.away = false;
    const late = new Visitor(hub, ["a"], { user: "eve" });
    await quiet();
    assertEquals(late.state, "open");
    await fleet.hubs[1].revokeUser("eve");
    assertEquals(late.state, "revoked");
  });
  assertEquals(told, []);
});

Deno.test("Hub.close does not wait for a log that does not answer who follows", async () => {
  const told = await unhandled(async () => {
    const line = new Line(new MemoryEventLog());
    line.pause();
    const hub = new Hub({ log: line });
    const eve = new Visitor(hub, ["a"], { user: "eve" });
    await eve.leave();
    await hub.close();
    line.resume();
    await quiet();
    assertEquals(line.follows, []);
  });
  assertEquals(told, []);
});

Deno.test("Hub.fetch answers 503 with Retry-After to a POST while the log is away", async () => {
  await using fleet = new Fleet(1);
  const post = () => {
    const headers = { "content-type": "text/plain" };
    const init = { method: "POST", headers, body: "hello" };
    return fleet.hubs[0].fetch(new Request("http://sse.example/topics/a", init));
  };
  fleet.lines[0].away = true;
  const response = await post();
  assertEquals([response.status, response.headers.get("retry-after")], [503, "5"]);
  assertMatch(await response.text(), /try again later/);
  fleet.lines[0].away = false;
  assertEquals((await post()).status, 202);
});

// The topic

Deno.test("Hub follows and writes nothing of its own without users and presence", async () => {
  await using fleet = new Fleet(2);
  for (const hub of fleet.hubs) {
    new Visitor(hub, ["a"]);
    new Visitor(hub, ["*"]);
  }
  await quiet();
  await fleet.hubs[0].publish("a", { data: "1" });
  assertEquals([fleet.hubs[0].revoke(() => true), fleet.hubs[1].presence("a")], [2, 2]);
  for (const { told, follows } of fleet.lines) {
    assertEquals([told, follows.includes(CONTROL_TOPIC)], [[], false]);
  }
});

Deno.test("Hub follows what others revoke once, from its first user until it is closed", async () => {
  await using fleet = new Fleet(1);
  const [hub] = fleet.hubs;
  const [{ follows, told }] = fleet.lines;
  const visitors = [["a"], ["b"]].map((topics) => new Visitor(hub, topics, { user: "eve" }));
  await quiet();
  assertEquals(follows.toSorted(), [CONTROL_TOPIC, "a", "b"]);
  for (const visitor of visitors) await visitor.leave();
  assertEquals(follows, [CONTROL_TOPIC]);
  await hub.close();
  assertEquals([follows, told], [[], []]);
});

for (const topic of [CONTROL_TOPIC, "$sse", "$sse/", "$sse/a/b"]) {
  Deno.test(`checkTopic refuses the reserved name ${topic}, and so does whatever takes a topic`, async () => {
    await using hub = new Hub({ log: new MemoryEventLog() });
    const refusals = [
      () => checkTopic(topic),
      () => checkPattern(topic),
      () => hub.subscribe(request(), { topics: ["a", topic] }),
      () => hub.channel(topic),
      () => hub.presence(topic),
      () => new Channel({ topic }),
    ];
    for (const refused of refusals) assertThrows(refused, TypeError, "are reserved");
    await assertRejects(() => hub.publish(topic, { data: "" }), TypeError, "are reserved");
    const url = `http://sse.example/topics/${encodeURIComponent(topic)}`;
    for (const init of [{}, { method: "POST", body: "x" }]) {
      assertEquals((await hub.fetch(new Request(url, init))).status, 404);
    }
    assertEquals(hub.size, 0);
  });
}

for (const topic of ["$ss", "$sse2/a", "a/$sse", "sse/control", "$SSE/control"]) {
  Deno.test(`checkTopic takes ${topic}`, () => checkTopic(topic));
}

for (const pattern of ["$sse/*", "$sse/:a"]) {
  Deno.test(`checkPattern refuses ${pattern}`, () => {
    assertThrows(() => checkPattern(pattern), TypeError, "are reserved");
  });
}

Deno.test("Hub.subscribe to a pattern gets nothing of what processes tell each other", async () => {
  await using fleet = new Fleet(2);
  const { log, hubs: [hub], lines: [line] } = fleet;
  const before = await log.append(CONTROL_TOPIC, { event: "revoke", data: '{"user":"a"}' });
  // Also not by a last event ID that says it was there.
  const lastEventId = `${encodeURIComponent(CONTROL_TOPIC)}=${before}`;
  const topics = ["*", ":a/control", ":a/*"];
  const responses = [
    hub.subscribe(request(), { topics }),
    hub.subscribe(request(lastEventId), { topics }),
  ];
  await quiet();
  await fleet.hubs[1].revokeUser("eve");
  await quiet();
  assertEquals(line.follows, []);
  hub.revoke(() => true);
  for (const response of responses) {
    assertEquals(/revoke|eve/.test(await (await response).text()), false);
  }
});

// What comes in it

const USER = { event: "revoke", data: '{"user":"eve"}' };

Deno.test("Hub passes over what is foreign in the topic, and hears what comes after it", async () => {
  await using fleet = new Fleet(1, { presence: true });
  const eve = new Visitor(fleet.hubs[0], ["a"], { user: "eve" });
  await quiet();
  const foreign = [
    "",
    "null",
    "7",
    "[]",
    "{",
    '{"user":7}',
    '{"user":""}',
    '{"user":"eve","topic":1}',
  ];
  for (const data of [...foreign, `{"user":"${"x".repeat(2_000)}"}`, "[".repeat(100_000)]) {
    for (const event of ["revoke", "state", "ask", "other", undefined]) {
      await fleet.log.append(CONTROL_TOPIC, { event, data });
    }
  }
  await fleet.log.append(CONTROL_TOPIC, { comment: "nothing" });
  assertEquals(eve.state, "open");
  await fleet.log.append(CONTROL_TOPIC, USER);
  assertEquals(eve.state, "revoked");
});

Deno.test("parseMessage gives what was told, or nothing, and never throws", () => {
  const part = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom(0, 1, "a", [["a", 1]], [["a", -1]], ["n"], 1e300),
  );
  const content = fc.record({
    user: part,
    topic: part,
    node: fc.oneof(part, fc.constant("n")),
    version: part,
    part,
    parts: part,
    counts: part,
    of: part,
  }, { requiredKeys: [] });
  const event = fc.oneof(
    fc.constantFrom("revoke", "ask", "beat", "counts", "state", "bye"),
    fc.string(),
  );
  let understood = 0;
  fc.assert(
    fc.property(
      event,
      fc.oneof(content.map((value) => JSON.stringify(value)), fc.string()),
      (event, data) => {
        const message = parseMessage({ event, data });
        if (message === undefined) return;
        understood++;
        const { kind, ...told } = message;
        assertEquals(parseMessage({ event: kind, data: JSON.stringify(told) }), message);
      },
    ),
    property(),
  );
  assert(understood > 0);
});

// kind, content, whether it is understood
const MESSAGES: [string, Record<string, unknown>, boolean][] = [
  ["ask", { node: "n" }, true],
  ["ask", { node: "n", of: new Array(MAX_ASKED).fill("m") }, true],
  ["ask", { node: "n", of: new Array(MAX_ASKED + 1).fill("m") }, false],
  ["ask", { node: "n", of: [7] }, false],
  ["ask", {}, false],
  ["beat", { node: "n", version: 0 }, true],
  ["beat", { node: "n", version: -1 }, false],
  ["beat", { node: "n", version: 1.5 }, false],
  ["beat", { node: "", version: 1 }, false],
  ["beat", { node: "n".repeat(65), version: 1 }, false],
  ["counts", { node: "n", version: 1, counts: [["a", 0]] }, true],
  ["counts", { node: "n", version: 1, counts: [["a"]] }, false],
  ["counts", { node: "n", version: 1, counts: [["a", 1, 2]] }, false],
  ["counts", { node: "n", version: 1, counts: [["a", 1e10]] }, false],
  ["counts", { node: "n", version: 1, counts: [["a".repeat(257), 1]] }, false],
  ["counts", { node: "n", version: 1, counts: new Array(MAX_COUNTS + 1).fill(["a", 1]) }, false],
  ["counts", { node: "n", version: 1, counts: {} }, false],
  ["state", { node: "n", version: 1, part: 0, parts: 1, counts: [] }, true],
  ["state", { node: "n", version: 1, part: 1, parts: 1, counts: [] }, false],
  ["state", { node: "n", version: 1, part: 0, parts: 1e9, counts: [] }, false],
  ["bye", { node: "n" }, true],
  ["bye", { node: ["n"] }, false],
  ["revoke", { user: "eve", topic: "a" }, true],
  ["revoke", { user: "eve", topic: "" }, false],
  ["revoke", { user: "x".repeat(MAX_USER_LENGTH + 1) }, false],
];

for (const [kind, content, understood] of MESSAGES) {
  const data = JSON.stringify(content);
  Deno.test(`parseMessage ${understood ? "takes" : "passes over"} ${kind} ${data.slice(0, 70)}`, () => {
    const message = parseMessage({ event: kind, data });
    assertEquals(message, understood ? { kind, ...content } as typeof message : undefined);
  });
}

Deno.test("partCounts makes parts that are understood, of whatever topics", () => {
  const worst = "\ud800".repeat(256);
  for (const [name, count] of [["a", 2_001], [worst, 200], ["a", 0]] as const) {
    const counts = Array.from({ length: count }, (_, i): [string, number] => [name, i]);
    const parts = partCounts(counts);
    assertEquals(parts.flat(), counts);
    for (const [part, counts] of parts.entries()) {
      const content = { node: "n", version: 1, part, parts: parts.length, counts };
      const data = JSON.stringify(content);
      assertEquals(parseMessage({ event: "state", data })?.kind, "state");
      assert(data.length < 70_000);
    }
  }
});
