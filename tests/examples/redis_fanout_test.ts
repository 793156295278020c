import { assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../client.ts";
import { hasRedis, startRedis } from "../engines.ts";
import { freePort } from "../listen.ts";
import { Example, NO_SIGNALS, run, take } from "./example.ts";

Deno.test("redis_fanout.ts carries events between processes, and readers resume on the other one", {
  ignore: NO_SIGNALS || !await hasRedis,
}, async () => {
  await using redis = await startRedis();
  const env = { REDIS_URL: `redis://127.0.0.1:${redis.port}` };
  await using here = await Example.start("redis_fanout.ts", { env });
  await using there = await Example.start("redis_fanout.ts", { env });
  const post = async (to: Example, body: string) => {
    const headers = { "content-type": "text/plain" };
    const response = await fetch(to.url("/topics/news"), { method: "POST", headers, body });
    assertEquals(response.status, 202);
    return (await response.json()).id;
  };
  // A reader finds the one that is there, as behind a load balancer.
  let example = here;
  const url = () => example.url("/topics/news");
  await using reader = connect(url, {
    // Without an id it would begin live, and that is a moment after it has connected.
    lastEventId: await post(there, "before"),
    dedupe: false,
    retry: { initialDelay: 100, maxDelay: 100 },
  });
  await post(there, "from there");
  await post(here, "from here");
  const texts = (await take(reader, 2)).map(({ data }) => data);
  assertEquals(texts, ["from there", "from here"]);

  example = there;
  await here.assertEnds("SIGTERM");
  await post(there, "afterwards");
  assertEquals((await take(reader, 1))[0].data, "afterwards");
  await there.assertEnds();
});

Deno.test("redis_fanout.ts says in a sentence that there is no Redis, and its status is 1", async () => {
  const env = { REDIS_URL: `redis://127.0.0.1:${freePort()}` };
  const { code, stdout, stderr } = await run("redis_fanout.ts", { env });
  assertEquals([code, stdout], [1, ""]);
  assertMatch(
    stderr,
    /^Cannot reach Redis at 127\.0\.0\.1:\d+: .+: start one, or set REDIS_URL\n$/,
  );
});
