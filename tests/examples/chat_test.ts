import { assertEquals } from "@std/assert";
import type { ServerSentEvent } from "../../parse.ts";
import { Proxy } from "../log/proxy.ts";
import { Example, NO_SIGNALS, read, take } from "./example.ts";

/** What it told of those who are here. */
function here({ event, data }: ServerSentEvent): unknown {
  return event === "here" ? JSON.parse(data) : event;
}

Deno.test("chat.ts replays the history to who joins, and tells who is here", {
  ignore: NO_SIGNALS,
}, async () => {
  await using chat = await Example.start("chat.ts");
  const post = async (data: string, key: string) => {
    const headers = { "content-type": "text/plain", "idempotency-key": key };
    const response = await fetch(chat.url("/topics/lobby"), {
      method: "POST",
      headers,
      body: data,
    });
    assertEquals(response.status, 202);
    return await response.json();
  };
  await using network = new Proxy(chat.port);
  await using ann = read(`http://127.0.0.1:${network.port}/topics/lobby?name=ann`);
  assertEquals((await take(ann, 1)).map(here), [{ count: 1, names: ["ann"] }]);

  // Sent twice, since the first answer may have been lost: said once.
  const { id } = await post("ann: hi", "1");
  assertEquals(await post("ann: hi", "1"), { id });
  await post("ann: anybody?", "2");
  const said = await take(ann, 2);
  assertEquals(said.map(({ data }) => data), ["ann: hi", "ann: anybody?"]);

  await using bob = read(chat.url("/topics/lobby?name=bob"));
  const joined = await take(bob, 3);
  const both = { count: 2, names: ["ann", "bob"] };
  assertEquals(joined.map(here).filter((told) => typeof told !== "string"), [both]);
  assertEquals(joined.filter(({ event }) => event === "message"), said);
  assertEquals((await take(ann, 1)).map(here), [both]);

  // Who loses the connection is not here, and misses nothing.
  network.refuse(true);
  network.cut();
  assertEquals((await take(bob, 1)).map(here), [{ count: 1, names: ["bob"] }]);
  await post("bob: gone", "3");
  const [gone] = await take(bob, 1);
  network.refuse(false);
  const back = await take(ann, 2);
  assertEquals(back.filter(({ event }) => event === "message"), [gone]);
  assertEquals(back.map(here).filter((told) => typeof told !== "string"), [both]);

  const missing = await fetch(chat.url("/topics/cellar"));
  assertEquals([missing.status, await missing.text()], [404, "No such room\n"]);
  // The history is bounded, and who joins is told where it begins.
  for (let i = 1; i <= 200; i++) await post(`${i}`, `more-${i}`);
  await using cleo = read(chat.url("/topics/lobby?name=cleo"));
  const all = (await take(cleo, 202)).filter(({ event }) => event !== "here");
  assertEquals([all[0].event, JSON.parse(all[0].data).reason], ["gap", "trimmed"]);
  assertEquals(
    all.slice(1).map(({ data }) => data),
    Array.from({ length: 200 }, (_, i) => `${i + 1}`),
  );
  await chat.assertEnds();
});
