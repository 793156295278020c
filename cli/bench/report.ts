/**
 * What a bench has measured: as text, as JSON and as a picture.
 *
 * @module
 */

import os from "node:os";
import process from "node:process";
import { HISTOGRAM_ERROR } from "./histogram.ts";
import type { LoadOptions, LoadResult } from "./load.ts";
import { drawLines, renderSvg } from "../plot.ts";
import { showBytes, showCount, showTime } from "../progress_line.ts";
import { VERSION } from "../version.ts";
import { visible } from "../visible.ts";

/** A share of a CPU above which a process has no time left. */
const BUSY = 0.9;
/** Timers that are later than this share of the latency are part of it. */
const LATE_SHARE = 0.25;
/** As late as this every timer may be, in ms. */
const LATE = 5;
/** The server and we alone, on one CPU, are no crowd. */
const CROWDED = 2.5;
/** A rate that is met to this share is met. */
const MET = 0.98;

/** What was asked for. */
export interface Asked
  extends Pick<LoadOptions, "connections" | "rate" | "size" | "publish" | "warmUp"> {
  /** What was measured, as a URL. */
  readonly url: string;
}

const SHARES = [["p50", 0.5], ["p90", 0.9], ["p99", 0.99], ["p99.9", 0.999]] as const;

/** What is to be known before the figures are believed. */
export function notesOf(asked: Asked, result: LoadResult): string[] {
  const { connections, published, delivered, latency, own, server } = result;
  const notes: string[] = [];
  if (result.interrupted) notes.push(`It was interrupted after ${showTime(result.duration)}.`);
  for (const [reason, count] of connections.reasons) {
    notes.push(`${showCount(count, "connection")} could not be opened: ${visible(reason)}`);
  }
  if (connections.lost > 0) {
    notes.push(
      `${
        showCount(connections.lost, "connection")
      } broke off, ${connections.reopened} of them came back.`,
    );
  }
  if (published !== undefined && published.failed > 0) {
    const reason = published.reason === undefined ? "" : `; the last: ${visible(published.reason)}`;
    notes.push(`The server did not take ${showCount(published.failed, "event")}${reason}`);
  }
  if (published !== undefined && published.rate < asked.rate * MET && !result.interrupted) {
    notes.push(
      `Only ${number(published.rate)} of ${
        number(asked.rate)
      } events a second were taken: events have waited to be published, and latencies hold that wait.`,
    );
  }
  if (delivered.lost !== undefined && delivered.lost > 0) {
    notes.push(`${showCount(delivered.lost, "event")} never came.`);
  }
  if (delivered.foreign > 0) {
    notes.push(
      `Others publish to the topic, too: ${showCount(delivered.foreign, "event")} of theirs.`,
    );
  }
  const late = own.lagP99 > LATE && own.lagP99 > latency.quantile(0.99) * LATE_SHARE;
  if (own.cpu > BUSY || late) {
    const why = own.cpu > BUSY ? "it had no CPU time left" : "its timers were late";
    notes.push(
      `The load generator itself was a bottleneck: ${why}. The server may do better than this: ask for less, or give it more CPUs.`,
    );
  }
  if (server !== undefined && server.cpu > result.duration * BUSY) {
    notes.push("The server had no CPU time left: this is as much as it does.");
  }
  if (own.crowd > CROWDED) {
    notes.push(
      `Other programs want this machine, too: ${
        number(own.crowd)
      } for each CPU were ready to run. Measure again when it is quiet.`,
    );
  }
  return notes;
}

/** The figures as text. */
export function reportText(asked: Asked, result: LoadResult): string {
  const { connections, published, delivered, latency, own, server } = result;
  const rows: [string, string][] = [];
  if (published !== undefined) {
    rows.push([
      "published",
      `${showCount(published.events, "event")}, ${number(published.rate)}/s`,
    ]);
  }
  rows.push([
    "delivered",
    `${showCount(delivered.events, "event")}, ${number(delivered.rate)}/s, ${
      showBytes(Math.round(delivered.bytesRate))
    }/s`,
  ]);
  if (latency.count > 0) {
    const shares = SHARES.map(([name, share]) => `${name} ${time(latency.quantile(share))}`);
    rows.push(["latency", [...shares, `max ${time(latency.max)}`].join("  ")]);
  }
  if (delivered.lost !== undefined) {
    rows.push([
      "lost",
      `${delivered.lost.toLocaleString("en-US")}, duplicated ${
        (delivered.duplicated ?? 0).toLocaleString("en-US")
      }`,
    ]);
  }
  const failures = connections.failed + (published?.failed ?? 0);
  rows.push([
    "errors",
    `${failures.toLocaleString("en-US")}, reconnects ${
      connections.reopened.toLocaleString("en-US")
    }`,
  ]);
  if (server !== undefined) {
    const each = delivered.events === 0
      ? ""
      : `, ${(server.cpu / delivered.events * 1_000).toPrecision(3)} µs for each delivery`;
    rows.push([
      "server",
      `${percent(server.cpu / result.duration)} of a CPU${each}, ${showBytes(server.memory)}`,
    ]);
  }
  rows.push([
    "generator",
    `${percent(own.cpu)} of a CPU, timers late by p99 ${time(own.lagP99)}, max ${time(own.lagMax)}`,
  ]);
  const accuracy = latency.count === 0 ? [] : [
    `Latency is from when an event was due to when it was read; percentiles within ${
      (HISTOGRAM_ERROR * 100).toFixed(1)
    } %.`,
  ];
  return [
    `${asked.url}: ${conditions(asked, result)}`,
    "",
    ...rows.map(([name, text]) => `${name.padEnd(10)}  ${text}`),
    "",
    ...accuracy,
    ...notesOf(asked, result),
    "",
  ].join("\n");
}

/** The figures for a program. */
export function reportJson(asked: Asked, result: LoadResult): string {
  const { connections, published, delivered, latency, own, server } = result;
  const latencies = latency.count === 0 ? null : {
    ...Object.fromEntries(SHARES.map(([name, share]) => [name, round(latency.quantile(share))])),
    max: round(latency.max),
    mean: round(latency.mean),
    count: latency.count,
    relativeError: HISTOGRAM_ERROR,
  };
  const report = {
    url: asked.url,
    version: VERSION,
    machine: machine(),
    asked: {
      connections: asked.connections,
      ...(asked.publish ? { rate: asked.rate, size: asked.size } : {}),
      warmUpMs: asked.warmUp,
    },
    durationMs: round(result.duration),
    interrupted: result.interrupted,
    connections: {
      open: connections.open,
      failed: connections.failed,
      lost: connections.lost,
      reopened: connections.reopened,
    },
    published: published === undefined
      ? null
      : { events: published.events, perSecond: round(published.rate), failed: published.failed },
    delivered: {
      events: delivered.events,
      perSecond: round(delivered.rate),
      bytes: delivered.bytes,
      bytesPerSecond: round(delivered.bytesRate),
      lost: delivered.lost ?? null,
      duplicated: delivered.duplicated ?? null,
      foreign: delivered.foreign,
    },
    latencyMs: latencies,
    generator: {
      cpu: round(own.cpu),
      timersLateMs: { p99: round(own.lagP99), max: round(own.lagMax) },
    },
    server: server === undefined
      ? null
      : { cpu: round(server.cpu / result.duration), memoryBytes: server.memory },
    notes: notesOf(asked, result),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

/** The percentiles that the picture names. */
const NAMED = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];

/** The figures as a picture: latency over time and by percentile, or the rate where there is none. */
export function reportSvg(asked: Asked, result: LoadResult): string {
  const { latency, points } = result;
  const subtitle = `${conditions(asked, result)}; ${machine()}`;
  const seconds = { label: "Time (s)", min: 0 };
  const over = (value: (point: typeof points[number]) => number) =>
    points.map((point) => [point.t / 1_000, value(point)] as const);
  const rate = drawLines({
    title: "Events delivered",
    ...(latency.count === 0 ? { subtitle } : {}),
    x: seconds,
    y: { label: "Events a second" },
    series: [{ name: "", points: over((point) => point.rate) }],
  });
  if (latency.count === 0) return renderSvg([rate]);
  const latencies = drawLines({
    title: "Latency from publishing to receipt",
    subtitle,
    x: seconds,
    y: { label: "Latency (ms)", scale: "log" },
    series: [
      { name: "p50", points: over((point) => point.p50) },
      { name: "p99", points: over((point) => point.p99) },
      { name: "max", points: over((point) => point.max) },
    ],
  });
  // The further right, the rarer: each step to the right is ten times as rare.
  const rarity = (share: number) => 1 / (1 - share);
  const rarest = rarity(NAMED.findLast((share) => rarity(share) <= latency.count) ?? 0.5);
  const steps = Array.from({ length: 101 }, (_, i) => rarest ** (i / 100));
  const distribution = drawLines({
    title: "Latency by percentile",
    x: {
      label: "Share of deliveries that took no longer",
      scale: "log",
      ticks: NAMED.map((share) => ({
        value: rarity(share),
        label: `${Number((share * 100).toFixed(3))} %`,
      })),
    },
    y: { label: "Latency (ms)", scale: "log" },
    series: [{
      name: "",
      points: steps.map((step) => [step, latency.quantile(1 - 1 / step)] as const),
    }],
  });
  return renderSvg([latencies, distribution, rate]);
}

function conditions(asked: Asked, { duration, connections }: LoadResult): string {
  const load = asked.publish
    ? `, ${number(asked.rate)} events/s of ${showBytes(asked.size)}`
    : ", reading only";
  const warm = asked.warmUp === 0 ? "" : ` after ${showTime(asked.warmUp)} of warm-up`;
  return `${showCount(connections.open, "connection")}${load}, ${showTime(duration)}${warm}`;
}

function machine(): string {
  const { deno, bun, node } = process.versions;
  const runtime = deno !== undefined
    ? `Deno ${deno}`
    : bun !== undefined
    ? `Bun ${bun}`
    : `Node ${node}`;
  const cpus = os.cpus();
  const model = cpus[0]?.model.trim() ?? "";
  return `${runtime}, ${showCount(cpus.length, "CPU")}${model === "" ? "" : ` (${model})`}`;
}

function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 1 : 0 });
}

function time(ms: number): string {
  return ms >= 1_000 ? `${(ms / 1_000).toPrecision(3)} s` : `${Number(ms.toPrecision(3))} ms`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
