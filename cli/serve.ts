/**
 * `sse serve`: topics over HTTP, with a live page, until it is told to stop.
 *
 * @module
 */

import { defineCommand } from "./command.ts";
import { aborted, type Context } from "./context.ts";
import { openEventLog } from "./event_log.ts";
import { EXIT } from "./failure.ts";
import { listen, type Listening } from "./serve/listen.ts";
import { readSettings, SERVE_OPTIONS, type ServeSettings } from "./serve/options.ts";
import { ServeReport } from "./serve/report.ts";
import { createService, type Service } from "./service.ts";

export const command = defineCommand({
  name: "serve",
  summary: "Serve topics to read and to publish to, with a live page",
  arguments: [],
  options: SERVE_OPTIONS,
  examples: [
    { line: "sse serve", what: "Serve on http://127.0.0.1:8080/, events held in memory" },
    {
      line: "sse serve --log sqlite:events.db --max-events 10000",
      what: "Keep events in a file: readers resume after a restart",
    },
    {
      line: "SSE_TOKEN=secret sse serve --host 0.0.0.0 --port 80 --cors https://app.example",
      what: "Serve other machines, and the pages of an origin, who know the token",
    },
    {
      line: "sse serve --log redis://127.0.0.1:6379 --presence",
      what: "Share topics with all that serve from the same Redis",
    },
  ],
  notes: [
    "Routes: GET and POST /topics/:topic, GET /events?topic=a&topic=news/*,",
    "/metrics (OpenMetrics), /healthz, /status (what the page shows), the page at /.",
    "It speaks plain HTTP: where others can listen, put a proxy with TLS before it.",
    "",
    "The first line of stdout says where it listens; all else goes to stderr.",
    "Ctrl-C or SIGTERM: nothing new is taken, readers are sent away over --drain,",
    "and the exit code is 0, for it did as it was told. Once more ends it at once.",
  ],
  run: async ({ options }, context) => await serve(readSettings(options, context.env), context),
});

async function serve(settings: ServeSettings, context: Context): Promise<number> {
  const { signal } = context;
  const report = new ServeReport(context, settings);
  await report.warn();
  const opened = await openEventLog(settings.log, {
    maxEvents: settings.maxEvents,
    signal,
    onLost: (message) => report.fault(`The event log is away: ${message}`),
  });
  let service: Service | undefined;
  let listening: Listening | undefined;
  try {
    service = createService({
      ...settings.service,
      log: opened.log,
      logName: opened.name,
      onSession: (session, change) => report.session(session, change),
    });
    listening = await listen(service.fetch, {
      host: settings.host,
      port: settings.port,
      onTaken: (port) => report.note(`Port ${port} is in use: taking a free one`),
      onError: (error) => report.fault(`A request failed: ${messageOf(error)}`),
    });
    await report.listening(listening.url);
    await aborted(signal);
    await report.draining(service.hub.size);
    listening.refuse();
    await service.close({ drain: settings.drain });
    await listening.close();
    await report.stopped();
    return EXIT.ok;
  } finally {
    await service?.close();
    await listening?.close();
    await opened.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
