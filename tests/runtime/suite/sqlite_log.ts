/**
 * The event log in a SQLite file, by the `node:sqlite` of the runtime.
 *
 * @module
 */

import type { Harness, Library, SqliteModules, Suite } from "../harness.ts";
import { dataOf } from "./memory_log.ts";

const suite: Suite = { name: "sqlite log", needs: ["node:sqlite"], register };
export default suite;

function register(library: Library, { test, assert, testing, sqlite }: Harness): void {
  const modules = (): SqliteModules => {
    if (sqlite === undefined) throw new Error("Cannot open a file: the harness has no node:sqlite");
    return sqlite;
  };
  const open = (path: string, options?: { maxEvents?: number }) =>
    new (modules().log.SqliteEventLog)(path, options);

  for (const { name, run } of testing.eventLogContract((options) => open(":memory:", options))) {
    test(`SqliteEventLog keeps the contract: ${name}`, run);
  }

  test("SqliteEventLog gives what was appended before it was opened again", async () => {
    await modules().withFile(async (path) => {
      const before = open(path);
      const first = await before.append("a", { data: "1" });
      await before.append("a", { data: "é\n\u2028", event: "greeting", retry: 5 });
      await before.close();
      const after = open(path);
      assert.deepEqual(await dataOf(after.read("a", { after: first })), ["é\n\u2028"]);
      const next = await after.append("a", { data: "3" });
      assert.ok(next.endsWith(".3"), `its id is ${next}`);
      await after.close();
    });
  });

  test("SqliteEventLog carries what another one on its file appends", async () => {
    await modules().withFile(async (path) => {
      const [one, two] = [open(path), open(path)];
      const stop = new AbortController();
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      const onEvent = ({ data }: { data?: string }) => resolve(data);
      await two.follow("a", { signal: stop.signal, onEvent });
      await one.append("a", { data: "from one" });
      assert.equal(await promise, "from one");
      stop.abort();
      await one.close();
      await two.close();
    });
  });

  test("SqliteEventLog is the log of a channel, and the channel of a reader", async () => {
    const log = open(":memory:");
    const channel = new library.Channel({ log });
    const id = await channel.publish({ data: "1" });
    await channel.publish({ data: "2" });
    const request = new Request("http://sse.example/", { headers: { "last-event-id": id } });
    const reader = library.readEvents(channel.subscribe(request));
    assert.equal((await reader.next()).value?.data, "2");
    await reader.return();
    await channel.close();
    await log.close();
  });
}
