/**
 * The command line as its users get it: `sse` of the installed package, on Node, Bun and Deno.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { PAGE_FILES } from "../../cli/page_files.ts";
import { type CliProcess, spawnCli } from "../cli/helpers.ts";
import { faultServer } from "../fault/server.ts";
import { utf8 } from "../helpers.ts";
import { requireProgram } from "../programs.ts";
import { type Project, TOOLS, Workshop } from "./project.ts";
import { serveRegistry } from "./registry.ts";

const hasNpm = await requireProgram("npm", ["--version"], "install Node with npm");
const hasBash = await requireProgram("bash", ["--version"], "apt-get install bash");

/** How long a program may take that is fetched first. */
const PATIENCE = 120_000;

/** Versions of Node: one of now, and the oldest that the package is for. */
const NODES = ["24", "22.13.0"];

/** What is started in a project. */
interface Program {
  readonly project: Project;
  /** The words that start `sse`. */
  readonly command: readonly string[];
}

/** The platforms by their names, each with what makes a project on it. */
const PLATFORMS: Record<string, () => Promise<Program>> = {
  ...Object.fromEntries(NODES.map((version) => [`Node ${version}`, () => onNode(version)])),
  "Bun": onBun,
};

let workshop: Workshop;
Deno.test.beforeAll(async () => {
  workshop = await Workshop.open();
});
Deno.test.afterAll(() => workshop[Symbol.asyncDispose]());

const EMPTY = { "package.json": JSON.stringify({ private: true }) };

async function onNode(version: string): Promise<Program> {
  const project = await workshop.project(`program-node-${version}`, EMPTY);
  await workshop.install(project);
  const node = await pathOf(project, "node", version);
  return { project, command: [node, join(project.folder, "node_modules", ".bin", "sse")] };
}

async function onBun(): Promise<Program> {
  const project = await workshop.project("program-bun", EMPTY);
  const bun = await pathOf(project, "bun", TOOLS.bun);
  await project.run(bun, ["add", workshop.packed.file]);
  return { project, command: [bun, join(project.folder, "node_modules", ".bin", "sse")] };
}

/** Where a runtime is: npx, which starts programs too, keeps signals to itself that are for them. */
async function pathOf(project: Project, name: string, version: string): Promise<string> {
  const args = ["--yes", `--package=${name}@${version}`, "--", "which", name];
  return (await project.run("npx", args)).trim();
}

function start({ project, command }: Program, ...args: string[]): CliProcess {
  return spawnCli(args, { program: command, cwd: project.folder });
}

Deno.test({
  name: "an install of the package installs nothing else, and npx finds its program",
  ignore: !hasNpm,
  async fn() {
    const project = await workshop.project("program-npx", EMPTY);
    await workshop.install(project);
    const home = join(project.folder, "node_modules");
    const installed = await Array.fromAsync(Deno.readDir(home), ({ name }) => name);
    assertEquals(installed.filter((name) => !name.startsWith(".")), ["@webstreams"]);
    const node = ["--yes", "--package=node@24", "--"];
    const printed = await project.run("npx", [...node, "sse", "--version"]);
    assertEquals(printed, `${workshop.packed.manifest.version}\n`);
  },
});

for (const [platform, make] of Object.entries(PLATFORMS)) {
  Deno.test({
    name:
      `the program of the package reads a stream on ${platform}, resumes, and ends as it should`,
    ignore: !hasNpm || !hasBash,
    async fn() {
      const program = await make();
      await assertResumed(program);
      await assertWhole(program);
      await assertInterrupted(program);
      await assertPiped(program);
      await assertRefused(program);
    },
  });
}

async function assertResumed(program: Program): Promise<void> {
  await using server = await faultServer([
    "hold",
    { body: "id: 2\ndata: b\n\n", end: "stall" },
  ]);
  const args = ["--data", "--retry-delay", "0", "--count", "2", "--resume", "id"];
  await using sse = start(program, "get", server.url, ...args);
  const { reply } = await server.request(0);
  await reply.write("id: 1\ndata: é\n\n");
  // Bun drops what comes right before a loss; the server would send it again.
  await sse.printed("é\n");
  reply.cut();
  const { code, stdout, stderr } = await sse.end();
  assertEquals([code, stdout], [0, "é\nb\n"], stderr);
  assertEquals(server.requests.map(({ lastEventId }) => lastEventId), [undefined, "1"]);
  assertEquals(await Deno.readTextFile(join(program.project.folder, "id")), "2\n");
}

/** Each command loads, and the page and the process that are no imports are there, too. */
async function assertWhole(program: Program): Promise<void> {
  await using help = start(program, "--help");
  assertStringIncludes((await help.end()).stdout, "  completions  ");
  await using serve = start(program, "serve", "--port", "0");
  const [url = ""] = /http:\S+/.exec(await serve.printed(/http:\S+\s/)) ?? [];
  for (const name of PAGE_FILES) {
    const response = await fetch(new URL(`page/${name}`, url));
    assertEquals([name, response.status], [name, 200]);
    await response.body?.cancel();
  }
  const load = ["-c", "2", "-r", "20", "-d", "300ms", "--warm-up", "0", "--json", "--quiet"];
  await using bench = start(program, "bench", "serve", ...load);
  const { code, stdout, stderr } = await bench.end();
  assertEquals(code, 0, stderr);
  JSON.parse(stdout);
  serve.kill("SIGTERM");
  assertEquals((await serve.end()).code, 0);
}

async function assertInterrupted(program: Program): Promise<void> {
  await using server = await faultServer([{ body: "data: a\n\n", end: "stall" }]);
  await using sse = start(program, "get", server.url, "--data");
  await sse.printed("a\n");
  sse.kill("SIGINT");
  const { code, stderr } = await sse.end();
  assertEquals(code, 130, stderr);
  assertEquals(await server.closed(0), "client");
}

async function assertPiped({ project, command }: Program): Promise<void> {
  const piece = utf8(`data: ${"x".repeat(9_993)}\n\n`.repeat(10));
  await using server = await faultServer(async (_request, reply) => {
    for (;;) await reply.write(piece);
  });
  const script = '"$@" | head -c 3; echo " ${PIPESTATUS[*]}"';
  const words = [...command, "get", server.url, "--data", "--quiet"];
  const printed = await project.run("bash", ["-c", script, "bash", ...words]);
  assertEquals(printed, "xxx 0 0\n");
  assertEquals(await server.closed(0), "client");
}

async function assertRefused(program: Program): Promise<void> {
  await using server = await faultServer([{ status: 404 }]);
  await using sse = start(program, "get", server.url);
  const { code, stderr } = await sse.end();
  assertEquals(code, 3);
  assertStringIncludes(stderr, "the status must be 200: received 404");
}

Deno.test("the program of the package runs on Deno by an npm: specifier", async () => {
  await using registry = await serveRegistry(workshop.packed);
  const { name, version } = workshop.packed.manifest;
  const project = await workshop.project("program-deno", {
    "deno.json": "{}",
    ".npmrc": `@webstreams:registry=${registry.url}\n`,
  });
  await using server = await faultServer([{ body: "data: a\n\n" }]);
  const program = [Deno.execPath(), "run", "-A", `npm:${name}@${version}`];
  const env = { DENO_DIR: join(project.folder, "cache") };
  const args = ["get", server.url, "--data", "--retry", "no"];
  await using sse = spawnCli(args, { program, env, cwd: project.folder });
  const { code, stdout, stderr } = await sse.end(PATIENCE);
  assertEquals([code, stdout], [0, "a\n"], stderr);
});
