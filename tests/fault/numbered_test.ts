/** {@linkcode numberedSource}: that a right client gets all of it, and a wrong one is found out. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ServerSentEvent, ServerSentEventParser } from "../../parse.ts";
import { mulberry32 } from "../chunkings.ts";
import { SEED, utf8 } from "../helpers.ts";
import { numberedEvents, numberedSource, places, randomCut } from "./numbered.ts";
import { type FaultServer, faultServer } from "./server.ts";

/** The smallest client that resumes: reads until the server has no more. */
async function resume(server: FaultServer, take = (id: string) => id): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for (let id: string | undefined;;) {
    try {
      const response = await fetch(server.url, { headers: id ? { "last-event-id": id } : {} });
      if (response.status === 204) return events;
      const parser = new ServerSentEventParser({ lastEventId: id });
      for await (const chunk of response.body ?? []) {
        for (const event of parser.feed(chunk)) {
          events.push(event);
          id = take(event.id);
        }
      }
    } catch (error) {
      assert(error instanceof TypeError, `${error}`);
      if (server.failures.length > 0) return events;
    }
  }
}

Deno.test("numberedSource gives each event once to a client that resumes", async () => {
  console.log(`SSE_TEST_SEED=${SEED}`);
  let requests = 0;
  for (let seed = SEED; seed < SEED + 10; seed++) {
    await using server = await faultServer(numberedSource(30, { seed }));
    assertEquals(await resume(server), numberedEvents(30, seed), `seed ${seed}`);
    requests += server.requests.length;
  }
  assert(requests > 50, `${requests}`);
});

Deno.test("numberedSource cuts where and how the test says", async () => {
  const events = numberedEvents(3, 7);
  const bodies: Uint8Array[] = [];
  await using server = await faultServer(numberedSource(3, {
    seed: 7,
    cut: (body, attempt) => {
      bodies.push(body);
      const { between, inCharacter } = places(body);
      return [
        { cutAt: inCharacter[0], end: "reset" as const },
        { cutAt: between[1], end: "cut" as const },
        { cutAt: 0, end: "finish" as const },
        { cutAt: between[2] - 1, end: "finish" as const },
      ][attempt];
    },
  }));
  assertEquals(await resume(server), events);
  const ids = server.requests.map(({ lastEventId }) => lastEventId);
  assertEquals(ids, [undefined, undefined, "1", "1", "2", "3"]);
  const first = bodies.map((body) => new TextDecoder().decode(body).split("\n")[0]);
  assertEquals(first, ["id: 1", "id: 1", "id: 2", "id: 2", "id: 3"]);
  assertEquals(server.requests.map(({ written }) => written), [
    places(bodies[0]).inCharacter[0],
    places(bodies[1]).between[1],
    0,
    places(bodies[3]).between[2] - 1,
    bodies[4].length,
    0,
  ]);
});

Deno.test("numberedSource shows a client that skips and one that repeats", async () => {
  const skips = await faultServer(numberedSource(9, { cut: () => undefined }));
  await fetch(skips.url, { headers: { "last-event-id": "1" } }).catch(() => {});
  await assertRejects(() => skips.close(), Error, 'ids up to 0 were sent: received "1"');

  const cut = (body: Uint8Array, attempt: number) =>
    attempt > 1 ? undefined : { cutAt: places(body).between[2], end: "reset" as const };
  await using repeats = await faultServer(numberedSource(9, { cut }));
  const lag = (id: string) => id === "9" ? id : `${Number(id) - 1}`;
  const ids = (await resume(repeats, lag)).map(({ id }) => id);
  assertEquals(ids.slice(0, 5), ["1", "2", "2", "3", "3"]);
});

Deno.test("numberedSource and its cuts depend on the seed alone", () => {
  assertEquals(numberedEvents(20, 3), numberedEvents(30, 3).slice(0, 20));
  assert(numberedEvents(20, 3).some(({ data }, i) => data !== numberedEvents(20, 4)[i].data));
  const body = utf8("id: 1\ndata: é\n\nid: 2\ndata: 日\n\n");
  const [a, b] = [mulberry32(5), mulberry32(5)];
  for (let i = 0; i < 50; i++) assertEquals(randomCut(body, a), randomCut(body, b));
});

Deno.test("places sorts all cuts of a body", () => {
  const body = utf8("data: é\n\ndata: 日\n\n");
  assertEquals(places(body), {
    between: [0, 10, 21],
    inEvent: [1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16, 19, 20],
    inCharacter: [7, 17, 18],
  });
});
