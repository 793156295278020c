import { assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { emptyTally, Ledger, tallyText } from "../../cli/page/ledger.js";
import { Places } from "../../cli/page/places.js";
import { VectorCursor } from "../../server/cursor.ts";
import { property } from "../helpers.ts";

/** What an event has done, without its id. */
function moved(places: Places, id: string) {
  const move = places.move(id);
  return move && [move.topic, move.seq, move.step, move.missed];
}

for (
  const [title, begin, ids, expected] of [
    [
      "the one that has moved",
      "a=e.1&b=5",
      ["a=e.2&b=5", "a=e.2&b=6", "a=e.2&b=7"],
      [["a", 2, "next", 0], ["b", 6, "next", 0], ["b", 7, "next", 0]],
    ],
    [
      "one whose number has grown by a digit",
      "a=e.9&b=9",
      ["a=e.10&b=9", "a=e.10&b=10", "a=e.11&b=10"],
      [["a", 10, "next", 0], ["b", 10, "next", 0], ["a", 11, "next", 0]],
    ],
    [
      "one that is new",
      "a=e.1",
      ["a=e.1&b=1", "a=e.2&b=1"],
      [["b", 1, "first", 0], ["a", 2, "next", 0]],
    ],
    [
      "one that moves beside one that is new",
      "a=e.1",
      ["a=e.2&b=0", "a=e.2&b=1"],
      [["a", 2, "next", 0], ["b", 1, "next", 0]],
    ],
    [
      "one whose log has begun anew, before others of the old epoch",
      "a=e.7&b=3",
      ["a=f.1&b=e.3", "a=f.2&b=e.3", "a=f.2&b=e.4"],
      [["a", 1, "epoch", 0], ["a", 2, "next", 0], ["b", 4, "next", 0]],
    ],
    [
      "one of which events are missing",
      "a=e.1&b=5",
      ["a=e.4&b=5", "a=e.5&b=5"],
      [["a", 4, "skip", 2], ["a", 5, "next", 0]],
    ],
    [
      "one whose event comes a second time",
      "a=e.1&b=5",
      ["a=e.2&b=5", "a=e.1&b=5", "a=e.3&b=5"],
      [["a", 2, "next", 0], ["a", 1, "repeat", 0], ["a", 3, "next", 0]],
    ],
    [
      "one with a name that is encoded",
      "a%26b=e.1&user:7=1",
      ["a%26b=e.2&user:7=1", "a%26b=e.2&user:7=2"],
      [["a&b", 2, "next", 0], ["user:7", 2, "next", 0]],
    ],
    [
      "none where several are new at once, but their places",
      "",
      ["a=e.3&b=5", "a=e.3&b=6", "a=e.4&b=6"],
      [undefined, ["b", 6, "next", 0], ["a", 4, "next", 0]],
    ],
    ["none where nothing has moved", "a=e.1", ["a=e.1"], [undefined]],
    ["none where the id is no vector", "a=e.1", ["17", "", "a=b=c"], [
      undefined,
      undefined,
      undefined,
    ]],
  ] as const
) {
  Deno.test(`Places.move names the topic of an event: ${title}`, () => {
    const places = new Places();
    places.begin(begin);
    assertEquals(ids.map((id) => moved(places, id)), [...expected].map((one) => one && [...one]));
  });
}

Deno.test("Places.move takes plain ids where there is one topic", () => {
  const places = new Places("news");
  assertEquals(moved(places, "e.7"), ["news", 7, "first", 0]);
  assertEquals(moved(places, "e.8"), ["news", 8, "next", 0]);
  assertEquals(moved(places, "e.8"), ["news", 8, "repeat", 0]);
  assertEquals(moved(places, "f.1"), ["news", 1, "epoch", 0]);
  assertEquals(moved(places, "seventeen"), undefined);
});

Deno.test("Places.begin has no effect on a topic that has moved since", () => {
  const places = new Places("news");
  places.begin("e.7");
  assertEquals(moved(places, "e.9"), ["news", 9, "skip", 1]);
  places.begin("e.3");
  assertEquals(moved(places, "e.10"), ["news", 10, "next", 0]);
});

Deno.test("Places.move follows whatever a server's cursor writes", () => {
  const topic = fc.constantFrom("a", "b", "news/7", "a&b", "ü", "x=y", "9", "a.1");
  const step = fc.record({
    topic,
    ahead: fc.constantFrom(1, 1, 1, 1, 2, 95),
    anew: fc.constantFrom(false, false, false, false, false, true),
    back: fc.constantFrom(false, false, false, false, true),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const cursor = new VectorCursor();
      const seqs = new Map<string, { epoch: number; seq: number }>();
      const places = new Places();
      for (const { topic, ahead, anew, back } of steps) {
        const before = seqs.get(topic);
        const after = before === undefined || anew
          ? { epoch: (before?.epoch ?? 0) + 1, seq: 1 }
          : { epoch: before.epoch, seq: before.seq + ahead };
        seqs.set(topic, after);
        cursor.set(topic, `e${after.epoch}.${after.seq}`);
        const expected = before === undefined
          ? ["first", 0]
          : after.epoch !== before.epoch
          ? ["epoch", 0]
          : [ahead === 1 ? "next" : "skip", ahead - 1];
        assertEquals(moved(places, `${cursor}`), [topic, after.seq, ...expected]);
        // Who comes back may be told where it is once more.
        if (back) places.begin(`${cursor}`);
      }
    }),
    property(),
  );
});

/** What a ledger says of events, by their ids and what else they have. */
function entered(begin: string, events: { id: string; event?: string; data?: string }[]): Ledger {
  const ledger = new Ledger("news");
  ledger.begin(begin);
  for (const { id, event = "message", data = "" } of events) ledger.enter({ id, event, data });
  return ledger;
}

Deno.test("Ledger counts what came, what was left out and what came twice", () => {
  const { total } = entered("e.1", [{ id: "e.2" }, { id: "e.5" }, { id: "e.5" }, { id: "e.4" }]);
  assertEquals(total, { ...emptyTally(), received: 2, lost: 2, repeated: 2 });
});

Deno.test("Ledger begins to count anew when a connection is opened again", () => {
  const ledger = entered("e.1", [{ id: "e.2" }, { id: "e.3" }]);
  ledger.reopen();
  ledger.enter({ id: "e.5", event: "message", data: "" });
  assertEquals(ledger.since, { ...emptyTally(), received: 1, lost: 1 });
  assertEquals(ledger.total, { ...emptyTally(), received: 3, lost: 1 });
});

Deno.test("Ledger does not call lost what the server says is gone", () => {
  const data = '{"asked":"e.1","first":"e.5","reason":"trimmed"}';
  const { total } = entered("e.1", [{ id: "e.4", event: "gap", data }, { id: "e.5" }]);
  assertEquals(total, { ...emptyTally(), received: 1, gone: 3 });
});

Deno.test("Ledger does not know how much is gone where the log began anew", () => {
  const data = '{"asked":"e.9","first":"f.1","reason":"epoch"}';
  const { total } = entered("e.9", [{ id: "f.0", event: "gap", data }, { id: "f.1" }]);
  assertEquals(total, { ...emptyTally(), received: 1, restarts: 1 });
});

Deno.test("Ledger takes an event that somebody has named gap for an event", () => {
  for (const data of ["", "{}", '{"asked":"e.1","first":"e.2","reason":"trimmed"}']) {
    const { total } = entered("e.1", [{ id: "e.2", event: "gap", data }]);
    assertEquals(total, { ...emptyTally(), received: 1 });
  }
});

Deno.test("tallyText says what a connection that was resumed has lost", () => {
  const tally = emptyTally();
  assertEquals(tallyText({ ...tally, received: 1 }), "1 event since, 0 lost, 0 repeated");
  assertEquals(
    tallyText({ received: 1234, lost: 2, repeated: 3, gone: 4, restarts: 1 }),
    "1,234 events since, 2 lost, 3 repeated, 4 no longer in the log, the log began anew, so what it had before cannot be told",
  );
});
