#!/usr/bin/env node
/**
 * `sse`, the command line: read event streams, serve, publish, record, replay, measure and check them.
 *
 * ```sh
 * deno run -A jsr:@webstreams/sse/cli get https://stream.example/events
 * npx @webstreams/sse serve
 * deno install -g -A -n sse jsr:@webstreams/sse/cli
 * ```
 *
 * `sse --help` names the commands, `sse COMMAND --help` tells of one. It runs on Deno, Node and Bun.
 *
 * @module
 */

import { realpathSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { processContext } from "./cli/context.ts";
import { main } from "./cli/main.ts";

/** Whether this file is the program: Node below 24.2 does not tell, and npm starts it by a link. */
function isProgram(): boolean {
  if (typeof import.meta.main === "boolean") return import.meta.main;
  const [, path] = process.argv;
  return path !== undefined && realpathSync(path) === fileURLToPath(import.meta.url);
}

if (isProgram()) {
  const context = processContext();
  await context.exit(await main(process.argv.slice(2), context));
}
