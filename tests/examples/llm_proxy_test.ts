import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { connect, type ConnectOptions } from "../../client.ts";
import { standIn } from "../../examples/llm_stand_in.ts";
import { readEvents, type ServerSentEvent } from "../../parse.ts";
import { Proxy } from "../log/proxy.ts";
import { Example, NO_SIGNALS, ROOT, take, takeAll } from "./example.ts";

/** Answers of real models, where they are. */
const RECORDED = join(ROOT, "../shared/data/recorded");

const OPENAI = "/v1/chat/completions";
const ANTHROPIC = "/v1/messages";

interface Case {
  path: string;
  what: string;
  last: string;
  answer(): Promise<Uint8Array>;
}

const spoken = (path: string, last: string): Case => ({
  path,
  what: `what the stand-in says at ${path}`,
  last,
  answer: () => standIn(new Request(`http://127.0.0.1${path}`)).bytes(),
});

const recorded = (path: string, what: string, last: string): Case => ({
  path,
  what,
  last,
  answer: () => Deno.readFile(join(RECORDED, what)),
});

const CASES = [spoken(OPENAI, "[DONE]"), spoken(ANTHROPIC, "message_stop")];
if (await exists(RECORDED)) {
  CASES.push(
    recorded(OPENAI, "groq-web-search-utf8.sse", "[DONE]"),
    recorded(OPENAI, "openrouter-reasoning-comments.sse", "[DONE]"),
    recorded(ANTHROPIC, "anthropic-thinking.sse", "message_stop"),
  );
} else {
  console.warn("No answers of real models are replayed: there is no ../shared/data/recorded");
}

async function exists(folder: string): Promise<boolean> {
  try {
    return (await Deno.stat(folder)).isDirectory;
  } catch {
    return false;
  }
}

/** A model on loopback. It says half of its answer, and the rest when it is told to. */
class Model implements AsyncDisposable {
  /** The requests that it was sent. */
  readonly asked: { path: string; body: string; authorization: string | null }[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #rest = Promise.withResolvers<void>();

  constructor(answer: Uint8Array, status = 200) {
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    const headers = { "content-type": "text/event-stream" };
    this.#server = Deno.serve(options, async (request) => {
      const { pathname: path } = new URL(request.url);
      const authorization = request.headers.get("authorization");
      this.asked.push({ path, body: await request.text(), authorization });
      const body = ReadableStream.from(this.#speak(answer));
      return new Response(body, { status, headers });
    });
  }

  /** The environment of a proxy for it. */
  get env(): Record<string, string> {
    const url = `http://127.0.0.1:${this.#server.addr.port}`;
    return { OPENAI_BASE_URL: `${url}/v1`, ANTHROPIC_BASE_URL: url };
  }

  goOn(): void {
    this.#rest.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.goOn();
    await this.#server.shutdown();
  }

  async *#speak(answer: Uint8Array): AsyncGenerator<Uint8Array> {
    const half = answer.length >> 1;
    for (let at = 0; at < half; at += 1021) yield answer.subarray(at, Math.min(half, at + 1021));
    await this.#rest.promise;
    yield answer.subarray(half);
  }
}

/** A client that asks for an answer, as that of a user does. */
function ask(url: string, key: string, more: ConnectOptions = {}) {
  return connect(url, {
    json: { stream: true, messages: [{ role: "user", content: "Hello" }] },
    headers: { "idempotency-key": key, authorization: "Bearer mine" },
    retry: { initialDelay: 10, onEnd: "close" },
    dedupe: false, // What is sent twice shows.
    ...more,
  });
}

/** What an SDK looks at. */
function content(events: ServerSentEvent[]): [string, string][] {
  return events.map(({ event, data }) => [event, data]);
}

for (const { path, what, last, answer: recall } of CASES) {
  Deno.test(`llm_proxy.ts streams ${what} through a cut without loss, and asks once`, {
    ignore: NO_SIGNALS,
  }, async () => {
    const answer = await recall();
    const expected = content(await Array.fromAsync(readEvents(answer)));
    await using model = new Model(answer);
    await using proxy = await Example.start("llm_proxy.ts", { env: model.env });
    await using network = new Proxy(proxy.port);

    await using client = ask(`http://127.0.0.1:${network.port}${path}`, "1");
    const events = await take(client, 5);
    network.cut();
    events.push(...await take(client, 2));
    // Also when the model goes on while nobody listens.
    network.refuse(true);
    network.cut();
    model.goOn();
    const whole = await takeAll(ask(proxy.url(path), "1"));
    network.refuse(false);
    events.push(...await takeAll(client));

    assertEquals(content(events), expected);
    assertEquals(content(whole), expected);
    assert(client.stats.attempts > 1);
    assert([events.at(-1)?.event, events.at(-1)?.data].includes(last));
    const body = '{"stream":true,"messages":[{"role":"user","content":"Hello"}]}';
    assertEquals(model.asked, [{ path, body, authorization: "Bearer mine" }]);

    // Another prompt, or another client with the same key, is another answer.
    await takeAll(ask(proxy.url(path), "2"));
    const headers = { "idempotency-key": "1", authorization: "Bearer of somebody else" };
    await takeAll(ask(proxy.url(path), "1", { headers }));
    assertEquals(model.asked.length, 3);
    await proxy.assertEnds();
  });
}

Deno.test("llm_proxy.ts passes a refusal on, and asks again for who tries again", {
  ignore: NO_SIGNALS,
}, async () => {
  await using model = new Model(new TextEncoder().encode('{"error":"slow down"}'), 429);
  model.goOn();
  await using proxy = await Example.start("llm_proxy.ts", { env: model.env });
  for (let i = 1; i <= 2; i++) {
    const headers = { "idempotency-key": "1" };
    const response = await fetch(proxy.url(OPENAI), { method: "POST", headers, body: "{}" });
    assertEquals([response.status, await response.text()], [429, '{"error":"slow down"}']);
    assertEquals(model.asked.length, i);
  }
  const missing = await fetch(proxy.url(OPENAI));
  assertMatch(`${missing.status} ${await missing.text()}`, /^404 POST to \/v1\/chat/);
  await proxy.assertEnds();
});

Deno.test("llm_proxy.ts tells of an answer that breaks off in band, and ends it", {
  ignore: NO_SIGNALS,
}, async () => {
  const model = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = (async () => {
    using connection = await model.accept();
    await connection.read(new Uint8Array(65_536));
    const head =
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n";
    await connection.write(new TextEncoder().encode(`${head}data: a\n\ndata: cu`));
  })();
  const env = { OPENAI_BASE_URL: `http://127.0.0.1:${model.addr.port}` };
  await using proxy = await Example.start("llm_proxy.ts", { env });
  const events = await takeAll(ask(proxy.url(OPENAI), "1"));
  await answering;
  model.close();
  assertEquals(events.map(({ event, id }) => [event, id]), [["message", "1"], ["error", "2"]]);
  assertEquals(typeof JSON.parse(events[1].data).error.message, "string");

  const unreachable = await fetch(proxy.url(OPENAI), { method: "POST", body: "{}" });
  assertMatch(`${unreachable.status} ${await unreachable.text()}`, /^502 TypeError/);
  await proxy.assertEnds();
});

for (const path of [OPENAI, ANTHROPIC]) {
  Deno.test(`llm_proxy.ts has a stand-in answer at ${path}, and ends in the midst of it`, {
    ignore: NO_SIGNALS,
  }, async () => {
    await using proxy = await Example.start("llm_proxy.ts");
    const client = ask(proxy.url(path), "1");
    const texts = (await take(client, 4)).map(({ data }) => data).join("\n");
    assertMatch(texts, path === OPENAI ? /"content":"What "/ : /"text":"What "/);
    await proxy.assertEnds();
    await client.return();
  });
}
