/**
 * The shell blocks of `docs/cli.md`, one after the other, as somebody types them in a folder of their
 * own. One that is `background` runs on beside the others, once it has said a word.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ROOT } from "../../tools/_deno.ts";
import { within } from "../fault/real_time.ts";
import { freePort } from "../listen.ts";
import { type Block, blocksOf } from "./blocks.ts";

/** How long a block may take, in ms. */
const PATIENCE = 30_000;

/** A shell that knows `sse`. */
class Shell {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>[];
  #output = "";
  #wake: (() => void) | undefined = undefined;

  /** @param bin The folder of `sse`. */
  constructor(script: string, cwd: string, bin: string) {
    this.#process = new Deno.Command("bash", {
      args: ["-eo", "pipefail", "-c", script],
      cwd,
      env: { NO_COLOR: "1", PATH: `${bin}:${Deno.env.get("PATH")}` },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = [this.#read(this.#process.stdout), this.#read(this.#process.stderr)];
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#output += text;
      this.#wake?.();
    }
    this.#wake?.();
  }

  /** Waits until it has said this. */
  async says(word: string): Promise<void> {
    const ended = Promise.all(this.#reading).then(() => true);
    while (!this.#output.includes(word)) {
      const said = new Promise<boolean>((resolve) => this.#wake = () => resolve(false));
      const over = await Promise.race([said, ended]);
      if (over && !this.#output.includes(word)) {
        throw new Error(`It ended without a word of "${word}":\n${this.#output}`);
      }
    }
  }

  /** Waits for its end; what it has said. */
  async end(): Promise<string> {
    const { code } = await this.#process.status;
    await Promise.all(this.#reading);
    assertEquals(code, 0, this.#output);
    return this.#output;
  }

  /** Ends it as Ctrl-C does. */
  async interrupt(): Promise<string> {
    try {
      this.#process.kill("SIGINT");
    } catch {
      // It has ended already.
    }
    return await this.end();
  }
}

/** Makes `sse` a program of a folder. */
async function install(bin: string): Promise<void> {
  await Deno.mkdir(bin);
  const script = `#!/bin/sh\nexec '${Deno.execPath()}' run -A --no-lock '${ROOT}cli.ts' "$@"\n`;
  await Deno.writeTextFile(`${bin}/sse`, script, { mode: 0o755 });
}

function isShell({ info }: Block): boolean {
  return info === "sh" || info.startsWith("sh ");
}

Deno.test("docs/cli.md shows commands that run as they stand", {
  ignore: Deno.build.os === "windows",
}, async () => {
  const ports = [`${freePort()}`, `${freePort()}`];
  const folder = await Deno.makeTempDir();
  const open: Shell[] = [];
  const said: string[] = [];
  try {
    const bin = `${folder}/bin`;
    await install(bin);
    for (const { info, code, line } of (await blocksOf("docs/cli.md")).filter(isShell)) {
      const script = code.replaceAll("8080", ports[0]).replaceAll("8081", ports[1]);
      const late = () => `The block in line ${line} does not end`;
      const [, background, word] = info.split(" ");
      if (background === undefined) {
        said.push(await within(new Shell(script, folder, bin).end(), PATIENCE, late));
      } else {
        // In place of the shell, so that a signal reaches it.
        const shell = new Shell(`exec ${script}`, folder, bin);
        open.push(shell);
        await within(shell.says(word), PATIENCE, late);
      }
    }
    const [serve, get, record, replay] = open;
    await within(get.end(), PATIENCE, () => "get does not end");
    await within(record.end(), PATIENCE, () => "record does not end");
    for (const shell of [replay, serve]) await within(shell.interrupt(), PATIENCE, () => "no end");
    open.length = 0;

    const news = (await Deno.readTextFile(`${folder}/news.ndjson`)).trim().split("\n");
    assertEquals(
      news.map((line) => JSON.parse(line)).map(({ event, data }) => [event, data]),
      [["headline", "It rains"], ["message", "plain text"], ["message", "one event"]],
    );
    assertMatch(await Deno.readTextFile(`${folder}/place.id`), /\.3\s*$/);
    assertEquals(await Deno.readTextFile(`${folder}/prices.txt`), "11\n12\n");
    assertStringIncludes(await Deno.readTextFile(`${folder}/latency.svg`), "<svg");
    assert(said.some((output) => output.includes("0 errors")), said.join("\n"));
  } finally {
    for (const shell of open) await shell.interrupt().catch(() => {});
    await Deno.remove(folder, { recursive: true });
  }
});
