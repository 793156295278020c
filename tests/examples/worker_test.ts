import { assertEquals } from "@std/assert";
import { join } from "node:path";
import worker from "../../examples/worker.ts";
import { connect } from "../../client.ts";
import { Channel } from "../../server.ts";
import { bundle } from "../../tools/_bundle.ts";
import { freePort } from "../listen.ts";
import { within } from "../fault/real_time.ts";
import { eventually, findProgram, ROOT, take } from "./example.ts";

/** An origin, and the last event IDs that it was asked for. */
class Origin implements AsyncDisposable {
  readonly channel: Channel = new Channel({ retry: 100 });
  readonly asked: (string | null)[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    this.#server = Deno.serve(options, (request) => {
      if (new URL(request.url).pathname === "/gone") return new Response("gone", { status: 410 });
      this.asked.push(request.headers.get("last-event-id"));
      return this.channel.subscribe(request);
    });
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.#server.addr.port}${path}`;
  }

  async publish(...types: string[]): Promise<void> {
    for (const event of types) await this.channel.publish({ event, data: `a ${event}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.channel.close();
    await this.#server.shutdown();
  }
}

/**
 * Asserts that a Worker, wherever it runs, passes on a part of a stream, resumes, and leaves its origin
 * when its reader leaves: workerd finds out when it writes, at the next event or keep-alive.
 */
async function assertPasses(
  url: string,
  origin: Origin,
  fetch: typeof globalThis.fetch,
  finds: "at once" | "by writing",
): Promise<void> {
  const { channel, asked } = origin;
  const reading = connect(`${url}?only=trade&only=price`, {
    fetch,
    dedupe: false,
    retry: { initialDelay: 10 },
  });
  {
    await using reader = reading;
    await reader.opened;
    await origin.publish("price", "secret", "trade", "price");
    const events = await take(reader, 3);
    assertEquals(events.map(({ data }) => data), ["a price", "a trade", "a price"]);

    for (const session of channel.sessions()) session.close();
    await origin.publish("secret", "trade");
    const [trade] = await take(reader, 1);
    assertEquals(trade.data, "a trade");
    assertEquals(asked.slice(-2), [null, events[2].id]);
  }
  const left = async () => {
    if (finds === "by writing") await origin.publish("price");
    return channel.size === 0;
  };
  await eventually(left, () => "the origin is not left with the reader");
}

/** Starts workerd with the Worker; stops it with the block. */
async function startWorkerd(program: string, origin: string) {
  const { code, problem } = await bundle(ROOT, "examples/worker.ts", "browser");
  if (problem !== undefined) throw new Error(problem);
  const folder = await Deno.makeTempDir({ prefix: "sse-" });
  const port = freePort();
  await Deno.writeTextFile(join(folder, "worker.js"), code);
  await Deno.writeTextFile(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-11-01",
      bindings = [(name = "ORIGIN", text = "${origin}")],
    )),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`,
  );
  const child = new Deno.Command(program, {
    args: ["serve", join(folder, "config.capnp")],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  return {
    port,
    async listens(): Promise<boolean> {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await within(child.status, 5_000, () => "workerd does not end");
      await Deno.remove(folder, { recursive: true });
      assertEquals(await stderr, "");
    },
  };
}

Deno.test("worker.ts passes on the events that are asked for, resumes, and leaves its origin", async () => {
  await using origin = new Origin();
  const env = { ORIGIN: origin.url("/") };
  const fetch = (...request: ConstructorParameters<typeof Request>) =>
    worker.fetch(new Request(...request), env);
  await assertPasses("http://127.0.0.1/", origin, fetch, "at once");
});

Deno.test("worker.ts passes on what its origin refuses", async () => {
  await using origin = new Origin();
  const env = { ORIGIN: origin.url("/gone") };
  const response = await worker.fetch(new Request("http://127.0.0.1/"), env);
  assertEquals([response.status, await response.text()], [410, "gone"]);
});

const program = await findProgram("workerd", "workerd@1.20261117.1");

Deno.test("worker.ts does the same in workerd", { ignore: program === undefined }, async () => {
  await using origin = new Origin();
  await using workerd = await startWorkerd(program ?? "workerd", origin.url("/"));
  await eventually(workerd.listens, () => "workerd does not listen");
  await assertPasses(`http://127.0.0.1:${workerd.port}/`, origin, fetch, "by writing");
});
