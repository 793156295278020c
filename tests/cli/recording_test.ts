/** The format of recordings: what is written is read again, byte for byte, also from a file that was cut. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { Failure } from "../../cli/failure.ts";
import { entryLines, headerLine, openingOf, type TimedEntry } from "../../cli/recording.ts";
import { openRecording } from "../../cli/recording/read.ts";
import { concat, property, utf8 } from "../helpers.ts";

const HEADER = headerLine(new URL("http://127.0.0.1:8080/events"), new Date(0));

const OPEN: TimedEntry = {
  t: 0,
  open: { status: 200, headers: { "content-type": "text/event-stream" }, lastEventId: "7é" },
};

/** A file with these contents, for as long as `work` runs. */
async function withFile<T>(
  contents: string | Uint8Array,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "recording");
    await Deno.writeFile(path, typeof contents === "string" ? utf8(contents) : contents);
    return await work(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The entries of a file, and whether it breaks off. */
async function read(path: string): Promise<{ entries: TimedEntry[]; cut: boolean }> {
  let cut = false;
  const recording = await openRecording(path);
  const entries = await Array.fromAsync(recording.entries(() => cut = true));
  return { entries, cut };
}

function bytesOf(entries: readonly TimedEntry[]): Uint8Array {
  return concat(...entries.flatMap((entry) => "bytes" in entry ? [entry.bytes] : []));
}

Deno.test("openRecording reads what entryLines has written, each chunk as it was", async () => {
  const chunks = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // Text that is cut within a character, and what JSON must escape.
      fc.string({ unit: "binary" }).map((text) => utf8(text).subarray(1)),
      fc.constantFrom(...["\ufeff", "\r", "\n\n", "\u2028", "\0", '"\\'].map(utf8)),
    ).filter(({ length }) => length > 0),
    { maxLength: 12 },
  );
  await withFile("", async (path) => {
    await fc.assert(
      fc.asyncProperty(chunks, async (chunks) => {
        const written: TimedEntry[] = [
          OPEN,
          ...chunks.map((bytes, i) => ({ t: i / 2, bytes })),
          { t: 99.5, end: "lost", reason: "reset\nby peer" },
        ];
        await Deno.writeTextFile(path, HEADER + written.map(entryLines).join(""));
        assertEquals(await read(path), { entries: written, cut: false });
      }),
      property(0.3),
    );
  });
});

Deno.test("entryLines writes text where bytes are text, and Base64 where they are not", () => {
  const [euro] = [utf8("€")];
  assertEquals(
    entryLines({ t: 1.26, bytes: utf8("data: é\n\n") }),
    '{"t":1.3,"text":"data: é\\n\\n"}\n',
  );
  assertEquals(entryLines({ t: 2, bytes: euro.subarray(0, 2) }), '{"t":2,"bytes":"4oI="}\n');
  assertEquals(entryLines({ t: 3, end: "ended" }), '{"t":3,"end":"ended"}\n');
});

Deno.test("entryLines divides a large chunk, so that no line has to be held that is larger", async () => {
  const bytes = new Uint8Array(1_000_000).map((_, i) => i % 251);
  const lines = entryLines({ t: 5, bytes });
  const longest = Math.max(...lines.split("\n").map(({ length }) => length));
  assert(longest < 600_000, `${longest}`);
  const { entries } = await withFile(HEADER + entryLines(OPEN) + lines, read);
  assertEquals(bytesOf(entries), bytes);
  assert(entries.every(({ t }) => t === 0 || t === 5));
});

Deno.test("headerLine and openingOf keep no secret that a request can carry", () => {
  const url = new URL("https://stream.example/a?token=secret#secret");
  assertEquals(
    headerLine(url, new Date(0)),
    '{"format":"sse-recording","version":1,"url":"https://stream.example/a","startedAt":"1970-01-01T00:00:00.000Z"}\n',
  );
  const headers = { "content-type": "text/event-stream", "x-session": "secret" };
  const response = new Response("", { headers });
  assertEquals(openingOf(response, "7"), {
    status: 200,
    headers: { "content-type": "text/event-stream" },
    lastEventId: "7",
  });
});

Deno.test("openRecording reads all whole lines of a file that was cut anywhere, and says so", async () => {
  const entries: TimedEntry[] = [OPEN, { t: 1, bytes: utf8("data: é\n\n") }, {
    t: 2,
    end: "ended",
  }];
  const lines = entries.map(entryLines);
  const file = utf8(HEADER + lines.join(""));
  const ends = lines.map((_, i) => utf8(HEADER + lines.slice(0, i + 1).join("")).length);
  for (let length = utf8(HEADER).length; length <= file.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    assertEquals(
      await withFile(file.subarray(0, length), read),
      { entries: entries.slice(0, whole), cut: length < file.length },
      `cut at ${length} of ${file.length}`,
    );
  }
});

Deno.test("openRecording takes any other file for the bytes of a body", async () => {
  const bodies = [
    "data: a\n\n",
    '{"format":"another"}\ndata: a\n\n',
    "\ufeffdata: a\r\n\r\n",
    "null\n",
    `data: ${"x".repeat(200_000)}\n\n`,
  ].map(utf8);
  for (const body of [...bodies, Uint8Array.of(0xff, 0x0a, 0xc3)]) {
    await withFile(body, async (path) => {
      const recording = await openRecording(path);
      assert(recording.raw);
      const entries = await Array.fromAsync(recording.entries());
      assertEquals(bytesOf(entries), body);
      assert("open" in entries[0] && "end" in entries[entries.length - 1]);
    });
  }
});

Deno.test("openRecording passes over lines and keys of a later time", async () => {
  const lines = [
    entryLines(OPEN),
    '{"t":1,"weather":"fine"}\n{"note":"no time"}\n',
    '{"t":2,"text":"data: a\\n\\n","colour":"red"}\n',
    '{"t":3,"end":"ended"}\n',
  ];
  const { entries } = await withFile(HEADER + lines.join(""), read);
  assertEquals(entries, [OPEN, { t: 2, bytes: utf8("data: a\n\n") }, { t: 3, end: "ended" }]);
});

Deno.test("openRecording says in a sentence why a file cannot be read", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await assertRejects(() => openRecording(folder), Failure, "Cannot replay");
    const missing = join(folder, "missing");
    await assertRejects(
      () => openRecording(missing),
      Failure,
      `Cannot replay ${missing}: there is no such file`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  await withFile(
    gzipSync(HEADER),
    (path) =>
      assertRejects(() => openRecording(path), Failure, "it is compressed, unpack it first"),
  );
  const later = HEADER.replace('"version":1', '"version":2');
  await withFile(later, (path) =>
    assertRejects(
      () => openRecording(path),
      Failure,
      "its format has version 2, and this program reads 1: use a newer one",
    ));
  const table: [string, string][] = [
    ["data: a\n", "line 2 is none of a recording: it is no JSON object"],
    ['{"t":1,"bytes":"*"}\n', 'line 2 is none of a recording: "bytes" is no Base64'],
    [`${'"x'.repeat(5_000_000)}`, "line 2 is none of a recording: it is too long"],
  ];
  for (const [line, sentence] of table) {
    await withFile(HEADER + line, (path) => assertRejects(() => read(path), Failure, sentence));
  }
});

Deno.test("openRecording reads no more of a file than is asked for", async () => {
  // Holes: it takes no place on the disk.
  const size = 1 << 30;
  await withFile("", async (path) => {
    await Deno.truncate(path, size);
    const recording = await openRecording(path);
    const entries = recording.entries();
    let bytes = 0;
    for (let i = 0; i < 5; i++) {
      const { value } = await entries.next();
      if (value !== undefined && "bytes" in value) bytes += value.bytes.length;
    }
    await entries.return(undefined);
    assert(bytes > 0 && bytes <= 4 * 65_536, `${bytes}`);
  });
});
