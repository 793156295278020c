/** `Output`: writes that wait for their reader, and end with it. */

import { assertEquals } from "@std/assert";
import { Output, type OutputOptions } from "../../cli/output.ts";
import { TestStream } from "./helpers.ts";

function outputTo(stream: TestStream, options?: OutputOptions): Output {
  return new Output(stream, options);
}

Deno.test("Output.write resolves when it is taken, and flush when all is", async () => {
  const stream = new TestStream(false);
  const output = outputTo(stream);
  await output.flush();
  await output.write("a");
  await output.line("b");
  assertEquals(stream.text, "ab\n");
  stream.pause();
  const order: string[] = [];
  output.write("c").then(() => order.push("write"));
  const flushed = output.flush().then(() => order.push("flush"));
  await Promise.resolve();
  assertEquals(order, []);
  stream.resume();
  await flushed;
  assertEquals([order, stream.text], [["write", "flush"], "ab\nc"]);
});

Deno.test("Output writes bytes as they are", async () => {
  const stream = new TestStream(false);
  await outputTo(stream).write(new Uint8Array([0, 255]));
  assertEquals(stream.bytes, new Uint8Array([0, 255]));
});

Deno.test("Output tells once that its reader has gone, and writes nothing any more", async () => {
  const stream = new TestStream(false);
  let told = 0;
  const output = outputTo(stream, { onClosed: () => told++ });
  stream.close();
  await Promise.all([output.write("a"), output.write("b")]);
  await output.write("c");
  await output.flush();
  assertEquals([told, stream.text], [1, ""]);
});

Deno.test("Output tells of what else has failed, also if a write throws it", async () => {
  const failures: (Error | undefined)[] = [];
  const onClosed = (failure?: Error) => failures.push(failure);
  const full = new TestStream(false);
  full.close("ENOSPC");
  await outputTo(full, { onClosed }).write("a");
  const broken = {
    write: () => {
      throw new TypeError("broken");
    },
    on() {},
  };
  await new Output(broken, { onClosed }).write("a");
  assertEquals(failures.map((failure) => failure?.message), ["write ENOSPC", "broken"]);
});

Deno.test("Output hears of a reader that goes while nothing is written", async () => {
  let fail: ((error: Error) => void) | undefined;
  let told = 0;
  const stream = {
    write: () => true,
    on: (_event: "error", listener: (error: Error) => void) => fail = listener,
  };
  const output = new Output(stream, { onClosed: () => told++ });
  fail?.(new Error("EPIPE"));
  await output.write("a");
  assertEquals(told, 1);
});

const COLORS: [env: Record<string, string>, terminal: boolean, colored: boolean][] = [
  [{}, true, true],
  [{}, false, false],
  [{ NO_COLOR: "1" }, true, false],
  [{ NO_COLOR: "" }, true, true],
  [{ FORCE_COLOR: "1" }, false, true],
  [{ FORCE_COLOR: "0" }, false, false],
  [{ FORCE_COLOR: "1", NO_COLOR: "1" }, true, false],
  [{ TERM: "dumb" }, true, false],
];

for (const [env, terminal, colored] of COLORS) {
  const where = terminal ? "a terminal" : "no terminal";
  Deno.test(`Output on ${where} with ${JSON.stringify(env)} is ${colored ? "coloured" : "plain"}`, () => {
    const output = outputTo(new TestStream(terminal), { env });
    assertEquals([output.isTerminal, output.colored], [terminal, colored]);
    assertEquals(output.style("red", "a"), colored ? "\x1b[31ma\x1b[39m" : "a");
  });
}

Deno.test("Output.columns is that of the terminal, or 80", () => {
  assertEquals(outputTo(new TestStream(true, 120)).columns, 120);
  assertEquals(outputTo(new TestStream(false)).columns, 80);
  // A terminal that does not know.
  assertEquals(outputTo(new TestStream(true, 0)).columns, 80);
});
