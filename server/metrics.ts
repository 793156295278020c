/**
 * What a channel counts, and how a monitoring system reads it.
 *
 * @module
 */

import { show } from "../encode/show.ts";

/**
 * What a channel or a hub has counted since it was made. A counter only grows; a gauge is how it is
 * now.
 */
export interface ChannelMetrics {
  /** Events that were published here and that the log has taken. A counter, in events. */
  published: number;
  /** Events that were queued for a reader, live or replayed: one for each reader. A counter, in events. */
  delivered: number;
  /** Events that were left out for a reader that was too slow: one for each reader. A counter, in events. */
  dropped: number;
  /** What waits in the queues of all readers. A gauge, in bytes. */
  queuedBytes: number;
  /** The readers that are connected. A gauge, in sessions. */
  sessions: number;
  /** Events that were read from the log for a reader that came back. A counter, in events. */
  replayed: number;
  /** What was handed to readers of the channel's events, live or replayed. A counter, in bytes. */
  bytes: number;
  /** Readers that were disconnected because they were too slow. A counter, in sessions. */
  slow: number;
}

/** Metrics with what tells them from others of the same names. */
export interface LabelledMetrics {
  /**
   * What tells them from the others: `{ topic: "news" }` for example. A name is letters, digits and
   * `_` and begins with a letter; a value is any text, and `""` is as if the label were not there.
   * Default: none.
   */
  labels?: Readonly<Record<string, string>>;
  /** What was counted. */
  metrics: ChannelMetrics;
}

/** What {@linkcode renderOpenMetrics} can be told. */
export interface OpenMetricsOptions {
  /**
   * What the names of all families begin with, before a `_`: letters, digits and `_`, a letter first.
   *
   * @default {"sse"}
   */
  prefix?: string;
}

/** The content type of what {@linkcode renderOpenMetrics} gives. */
export const OPEN_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** The name follows the prefix, and ends with the unit if there is one. */
type Family = readonly [
  member: keyof ChannelMetrics,
  name: string,
  type: "counter" | "gauge",
  help: string,
];

const FAMILIES: readonly Family[] = [
  ["published", "events_published", "counter", "Events published."],
  ["delivered", "events_delivered", "counter", "Events queued for a reader, once for each reader."],
  [
    "dropped",
    "events_dropped",
    "counter",
    "Events left out for a slow reader, once for each reader.",
  ],
  [
    "replayed",
    "events_replayed",
    "counter",
    "Events read from the log for a reader that came back.",
  ],
  ["bytes", "sent_bytes", "counter", "Bytes handed to readers."],
  ["queuedBytes", "queued_bytes", "gauge", "Bytes that wait for readers."],
  ["sessions", "sessions", "gauge", "Readers that are connected."],
  ["slow", "slow_sessions", "counter", "Readers disconnected because they were too slow."],
];

// OpenMetrics keeps names that begin with "_", and names of metrics with ":", for others.
const NAME = /^[a-z]\w*$/i;

/**
 * Renders metrics as OpenMetrics text 1.0, which Prometheus and others read.
 *
 * The families are, with the default prefix, `sse_events_published`, `sse_events_delivered`,
 * `sse_events_dropped`, `sse_events_replayed`, `sse_sent_bytes` and `sse_slow_sessions`, which are
 * counters with `_total` behind the name of each sample, and the gauges `sse_queued_bytes` and
 * `sse_sessions`.
 *
 * @param metrics Those of one channel or hub, or several, which differ in their labels.
 * @param options The prefix of all names.
 * @returns The text, to be sent with {@linkcode OPEN_METRICS_TYPE}.
 * @throws {TypeError} If the prefix or a label cannot be rendered, or two have the same labels.
 * @throws {RangeError} If a number is not a finite one from 0 up.
 *
 * @example Metrics of two channels
 * ```ts
 * import { type ChannelMetrics, renderOpenMetrics } from "@webstreams/sse/server";
 * import { assert } from "@std/assert";
 *
 * const none = { published: 0, delivered: 0, dropped: 0, queuedBytes: 0, replayed: 0, bytes: 0 };
 * const metrics: ChannelMetrics = { ...none, sessions: 2, slow: 0 };
 * const text = renderOpenMetrics(["a", "b"].map((topic) => ({ labels: { topic }, metrics })));
 * assert(text.includes('sse_sessions{topic="a"} 2\nsse_sessions{topic="b"} 2\n'));
 * ```
 */
export function renderOpenMetrics(
  metrics: ChannelMetrics | Iterable<LabelledMetrics>,
  options: OpenMetricsOptions = {},
): string {
  const { prefix = "sse" } = options;
  if (typeof prefix !== "string" || !NAME.test(prefix)) {
    throw new TypeError(
      `Cannot render metrics: "prefix" must be letters, digits and "_", a letter first: received ${
        show(prefix)
      }`,
    );
  }
  const rows = new Map<string, ChannelMetrics>();
  for (const row of Symbol.iterator in metrics ? metrics : [{ metrics }]) {
    const labels = renderLabels(row.labels ?? {});
    if (rows.has(labels)) {
      throw new TypeError(
        `Cannot render metrics: those of several must differ in their labels: received "${labels}" twice`,
      );
    }
    rows.set(labels, row.metrics);
  }
  return `${FAMILIES.map((family) => renderFamily(family, prefix, rows)).join("")}# EOF\n`;
}

function renderFamily(
  [member, name, type, help]: Family,
  prefix: string,
  rows: ReadonlyMap<string, ChannelMetrics>,
): string {
  const family = `${prefix}_${name}`;
  const sample = type === "counter" ? `${family}_total` : family;
  let text = `# TYPE ${family} ${type}\n`;
  if (name.endsWith("_bytes")) text += `# UNIT ${family} bytes\n`;
  text += `# HELP ${family} ${help}\n`;
  for (const [labels, metrics] of rows) {
    const value = metrics[member];
    if (!Number.isFinite(value) || value < 0) {
      throw new RangeError(
        `Cannot render metrics: "${member}" must be a finite number from 0 up: received ${
          show(value)
        }`,
      );
    }
    text += `${sample}${labels} ${value}\n`;
  }
  return text;
}

/** In the order of the names, so that the same labels are the same text. */
function renderLabels(labels: Readonly<Record<string, string>>): string {
  const texts: string[] = [];
  for (const name of Object.keys(labels).sort()) {
    const value = labels[name];
    if (!NAME.test(name)) {
      throw new TypeError(
        `Cannot render metrics: the name of a label must be letters, digits and "_", a letter first: received ${
          show(name)
        }`,
      );
    }
    if (typeof value !== "string" || !value.isWellFormed()) {
      throw new TypeError(
        `Cannot render metrics: the label "${name}" must be a string without lone surrogates: received ${
          show(value)
        }`,
      );
    }
    if (value !== "") texts.push(`${name}="${escape(value)}"`);
  }
  return texts.length === 0 ? "" : `{${texts.join(",")}}`;
}

function escape(value: string): string {
  return value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}
