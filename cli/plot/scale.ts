/**
 * Scales of plots: where a value lies, and which values are named on the axis.
 *
 * @module
 */

import { formatExact, formatTicks } from "./text.ts";

/** A value that is named on an axis. */
export interface Tick {
  /** Where it is. */
  readonly value: number;
  /** What stands there. */
  readonly label: string;
}

/** An axis, laid out. */
export interface Scale {
  /** The least value. */
  readonly min: number;
  /** The greatest value. */
  readonly max: number;
  /** Whether it is logarithmic. */
  readonly log: boolean;
  /** The values that are named. */
  readonly ticks: readonly Tick[];
  /** Where a value lies between `min` (0) and `max` (1). */
  at(value: number): number;
}

/** How a {@linkcode Scale} is made. */
export interface ScaleOptions {
  /** Logarithmic or not. */
  readonly log: boolean;
  /** What it must hold; what a logarithmic one cannot is left out. */
  readonly values: Iterable<number>;
  /** How many ticks would look well. */
  readonly count: number;
  /** Where it starts, if that is not for the values to say. */
  readonly min?: number;
  /** Where it ends, likewise. */
  readonly max?: number;
  /** Whether it goes on to the next round values, and, if linear, down to 0 where that is near. */
  readonly nice: boolean;
  /** The ticks, if they are not to be chosen. */
  readonly ticks?: readonly (number | Tick)[];
}

/** No plot reaches further, so that no difference of two values overflows. */
const LIMIT = 1e300;

/** Values that differ by less than this share of them are the same: ticks have twelve digits. */
const SAME = 1e-9;

/** Whether a value can be shown. */
export function isDrawable(value: number, log: boolean): boolean {
  return Number.isFinite(value) && Math.abs(value) <= LIMIT && (!log || value >= 1 / LIMIT);
}

/** Lays an axis out. */
export function makeScale(options: ScaleOptions): Scale {
  const { log, nice, count } = options;
  let [min, max] = extent(options);
  const steps = log ? logTicks : linearTicks;
  if (nice) {
    const [first, last] = log ? roundLog(min, max) : roundLinear(min, max, count);
    min = options.min ?? first;
    max = options.max ?? last;
  }
  const project = log ? Math.log10 : (value: number) => value;
  const [low, high] = [project(min), project(max)];
  return {
    min,
    max,
    log,
    ticks: options.ticks === undefined
      ? named(steps(min, max, count), log)
      : given(options.ticks).filter(({ value }) => value >= min && value <= max),
    at: (value) => (project(value) - low) / (high - low),
  };
}

/** The least and the greatest value, which are apart. */
function extent({ values, log, nice, min, max }: ScaleOptions): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!isDrawable(value, log)) continue;
    // No step is so small that it could lead there.
    const clean = Math.abs(value) < 1 / LIMIT ? 0 : value;
    low = Math.min(low, clean);
    high = Math.max(high, clean);
  }
  if (low > high) [low, high] = log ? [1, 10] : [0, 1];
  // Heights are compared with each other, which they can be from 0 only.
  if (nice && !log && low > 0) low = 0;
  if (nice && !log && high < 0) high = 0;
  low = min ?? low;
  high = max ?? high;
  if (high - low > SAME * Math.max(Math.abs(low), Math.abs(high))) return [low, high];
  if (log) return [low / 2, low * 2];
  const around = Math.abs(low) / 2 || 1;
  return [low - around, low + around];
}

/** 1, 2 or 5 times a power of ten: the step of about `count` of them. */
function niceStep(min: number, max: number, count: number): number {
  const rough = (max - min) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10;
  return factor * power;
}

function roundLinear(min: number, max: number, count: number): [number, number] {
  const step = niceStep(min, max, count);
  return [
    multiple(Math.floor(min / step + 1e-9), step),
    multiple(Math.ceil(max / step - 1e-9), step),
  ];
}

function linearTicks(min: number, max: number, count: number): number[] {
  const step = niceStep(min, max, count);
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  // Where the step is less than what two numbers can differ by there are no more of them.
  const ticks = Math.min(last - first + 1, 4 * count + 4);
  return Array.from({ length: Math.max(0, ticks) }, (_, i) => multiple(first + i, step));
}

/** Not a sum of steps: 0.1 + 0.2 is no 0.3. */
function multiple(times: number, step: number): number {
  return Number((times * step).toPrecision(12));
}

const MANTISSAS = [1, 2, 5];

function roundLog(min: number, max: number): [number, number] {
  const below = mantissaTicks(min / 10, min * 1.000001, MANTISSAS);
  const above = mantissaTicks(max * 0.999999, max * 10, MANTISSAS);
  return [below.at(-1) ?? min, above[0] ?? max];
}

function logTicks(min: number, max: number, count: number): number[] {
  const decades = mantissaTicks(min, max, [1]);
  if (decades.length > count + 1) {
    const every = Math.ceil(decades.length / count);
    return decades.filter((value) => Math.round(Math.log10(value)) % every === 0);
  }
  for (const mantissas of [[1], MANTISSAS, [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const ticks = mantissaTicks(min, max, mantissas);
    if (ticks.length >= Math.min(4, count)) return ticks;
  }
  return linearTicks(min, max, count);
}

/** All products of a mantissa and a power of ten in a range. */
function mantissaTicks(min: number, max: number, mantissas: readonly number[]): number[] {
  const ticks: number[] = [];
  const last = Math.ceil(Math.log10(max));
  for (let power = Math.floor(Math.log10(min)); power <= last; power++) {
    for (const mantissa of mantissas) {
      const value = Number(`${mantissa}e${power}`);
      if (value >= min * 0.999999 && value <= max * 1.000001) ticks.push(value);
    }
  }
  return ticks;
}

function named(values: readonly number[], log: boolean): Tick[] {
  const labels = formatTicks(values, log);
  return values.map((value, i) => ({ value, label: labels[i] }));
}

/** Those that somebody chose are written out. */
function given(ticks: readonly (number | Tick)[]): Tick[] {
  return ticks.map((tick) =>
    typeof tick === "number" ? { value: tick, label: formatExact(tick) } : tick
  );
}
