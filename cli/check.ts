/**
 * `sse check`: reads a live endpoint and tells what would hurt, each with a fix.
 *
 * @module
 */

import { RedirectError } from "../errors.ts";
import { judgeNoHeaders } from "./check/buffering.ts";
import { judgeRefusal, judgeStream } from "./check/checks.ts";
import { CLOCK } from "./check/clock.ts";
import { isEventStreamType } from "./check/content_type.ts";
import { ACCEPTED } from "./check/encoding.ts";
import { countOf, type Finding } from "./check/finding.ts";
import { DEFAULT_TIME, Probe } from "./check/probe.ts";
import { printReport, type Report, reportAsJson } from "./check/report.ts";
import { time } from "./check/text.ts";
import { type AnyCommand, defineCommand } from "./command.ts";
import { type Context, Interrupt } from "./context.ts";
import { EXIT, UsageError } from "./failure.ts";
import { OPTIONS } from "./get/options.ts";
import { readRequest } from "./get/request.ts";
import { ProgressLine, showCount } from "./progress_line.ts";
import { REQUEST_OPTIONS } from "./request_options.ts";
import { parseTime } from "./values.ts";

/** It can be no longer, in ms: what is kept of the times grows with it. */
const MAX_TIME = 3_600_000;

/** `sse check`. */
export const command: AnyCommand = defineCommand({
  name: "check",
  summary: "Read a live endpoint and tell what would hurt, each with a fix",
  arguments: [{ name: "URL" }],
  options: {
    for: { type: "string", value: "TIME", help: "How long to listen; 15s" },
    ...REQUEST_OPTIONS,
    request: OPTIONS.request,
    body: OPTIONS.body,
    "json-body": OPTIONS["json-body"],
    origin: {
      type: "string",
      value: "ORIGIN",
      help: "Ask as a page of this origin, and check CORS",
    },
    "no-resume": { type: "boolean", help: "Connect once only: do not come back with the last id" },
    strict: { type: "boolean", help: "Let warnings fail, too" },
    json: { type: "boolean", help: "Print the report as JSON" },
  },
  examples: [
    { line: "sse check https://stream.example/events", what: "Everything, in 15 s" },
    {
      line: "sse check https://stream.example/events --for 65s",
      what: "Long enough to see whether a proxy cuts the connection",
    },
    {
      line: "sse check https://api.example/events --token T --origin https://app.example",
      what: "As a page of that origin, with a token",
    },
    { line: "sse check localhost:8000/events --strict --json", what: "In CI" },
  ],
  notes: [
    "It ends early when there is nothing more to learn, and tells what it could not judge.",
    "More than 15s are waited out, to see what cuts connections that are open for long.",
    "An error loses events or readers, a warning does so behind some proxies or for some readers,",
    "and a note is good to know. Nothing is judged that was not seen.",
    "Exit code: 0 without an error, 1 with one, 3 if there is no event stream at all.",
  ],
  async run({ arguments: [text], options }, context) {
    const { url, headers, method, body } = await readRequest(text, options, context);
    const origin = options.origin === undefined ? undefined : parseOrigin(options.origin);
    setDefault(headers, "accept", "text/event-stream");
    setDefault(headers, "accept-encoding", ACCEPTED);
    setDefault(headers, "cache-control", "no-cache");
    if (origin !== undefined) headers.set("origin", origin);
    const probe = new Probe({ url, method, headers, body }, {
      signal: context.signal,
      clock: CLOCK,
      listenFor: options.for === undefined ? DEFAULT_TIME : parseDuration(options.for),
      resumes: !options["no-resume"],
    });
    const { report, isStream } = await examine(probe, origin, context);
    // What was heard before an interrupt is worth its report; the code tells that it is not all.
    const { reason } = context.signal;
    const exitCode = reason instanceof Interrupt
      ? reason.exitCode
      : exitCodeOf(report.findings, isStream, options.strict === true);
    if (options.json) await context.stdout.line(reportAsJson(report, exitCode));
    else await printReport(report, context.stdout);
    return exitCode;
  },
});

/** Asks, listens and judges. */
async function examine(
  probe: Probe,
  origin: string | undefined,
  { stderr }: Context,
): Promise<{ report: Report; isStream: boolean }> {
  const { question } = probe;
  const asked = `${question.method} ${question.url.href}`;
  const start = CLOCK.now();
  let state = "waiting for the headers";
  const progress = new ProgressLine(stderr, () => {
    return `Checking: ${time(CLOCK.now() - start)}, listening for ${
      time(probe.listenFor)
    }: ${state}`;
  }, false);
  const refused = (findings: Finding[], heard?: Report["heard"]) => {
    return { report: { question: asked, heard, findings }, isStream: false };
  };
  try {
    const answer = await probe.ask();
    if (answer === undefined) return refused([judgeNoHeaders(probe.listenFor)]);
    if (answer.head.status !== 200 || !isEventStreamType(answer.head.headers)) {
      const heard = await probe.glance(answer);
      return refused(judgeRefusal(heard, origin), heard);
    }
    const http2 = probe.offersHttp2(answer.head.url);
    const heard = await probe.listen(answer, ({ events, comments }) => {
      state = `${showCount(events.length, "event")}, ${showCount(comments, "comment")}`;
    });
    const plain = await probe.compare(heard, () => state = "asking again, uncompressed");
    const resumed = await probe.resume(heard, () => state = "connecting again");
    const findings = judgeStream(heard, { plain, http2: await http2, origin });
    return {
      report: { question: asked, heard, findings: [...findings, ...resumed] },
      isStream: true,
    };
  } catch (error) {
    if (!(error instanceof RedirectError)) throw error;
    return refused([{
      check: "redirect",
      level: "error",
      seen: error.message,
      why: "No client gets to the stream",
      fix: "Connect to the final URL",
    }]);
  } finally {
    progress.stop();
  }
}

function exitCodeOf(findings: readonly Finding[], isStream: boolean, strict: boolean): number {
  if (!isStream) return EXIT.refused;
  const failing = countOf(findings, "error") + (strict ? countOf(findings, "warning") : 0);
  return failing > 0 ? EXIT.failed : EXIT.ok;
}

function setDefault(headers: Headers, name: string, value: string): void {
  if (!headers.has(name)) headers.set(name, value);
}

function parseDuration(text: string): number {
  const ms = parseTime("for", text);
  if (ms > 0 && ms <= MAX_TIME) return ms;
  throw new UsageError(
    `Cannot read --for: it must be above 0 and at most 1h: received ${JSON.stringify(text)}`,
  );
}

/** An origin as browsers send it. */
function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.origin;
  throw new UsageError(
    `Cannot read --origin: it must be as of a page, such as https://app.example: received ${
      JSON.stringify(text)
    }`,
  );
}
