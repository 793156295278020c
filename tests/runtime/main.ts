/**
 * The suites on a runtime with `node:test`: Deno, Node and Bun. It tells each report in a line of
 * standard output, which begins with `REPORT`.
 *
 * @module
 */

import * as log from "@webstreams/sse/log/sqlite";
import * as bridge from "@webstreams/sse/node";
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import * as http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { Report } from "./harness.ts";
import { library, testing } from "./library.ts";
import { runSuites } from "./run.ts";
import { serverOf } from "./serve.ts";
import { suites } from "./suites.ts";

const { SSE_TEST_ORIGIN: origin, SSE_TEST_OTHER_ORIGIN: otherOrigin } = process.env;
if (origin === undefined || otherOrigin === undefined) {
  throw new Error(
    "Cannot run the suites: SSE_TEST_ORIGIN and SSE_TEST_OTHER_ORIGIN are not set: use deno task test:runtimes",
  );
}

async function withFile(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sse-runtime-"));
  try {
    await body(join(folder, "log.db"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const node = { bridge, http };
const modules = { node, sqlite: { log, withFile }, serve: serverOf(node) };
const harness = { test, assert, testing, origin, otherOrigin, ...modules };
runSuites(suites, library, harness, {}, (report: Report) => {
  console.log(`REPORT ${JSON.stringify(report)}`);
});
