/**
 * How much of this process's own time a bench takes, and how late it is with what it measures.
 *
 * @module
 */

import os from "node:os";
import process from "node:process";
import { Histogram } from "./histogram.ts";

/** How often a timer looks whether it is late, in ms. */
const INTERVAL = 10;

/** What a bench itself has cost. */
export interface OwnLoad {
  /** The share of one CPU that this process took, from 0 up. */
  readonly cpu: number;
  /** How late its timers were, in ms: the longest of 99 of 100. */
  readonly lagP99: number;
  /** How late they were at most. */
  readonly lagMax: number;
  /** How many processes of the machine wanted to run, for each of its CPUs: the last minute's mean. */
  readonly crowd: number;
}

/** Watches this process. */
export class LagWatch {
  readonly #lag = new Histogram();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #begin = performance.now();
  #cpu = process.cpuUsage();

  constructor() {
    this.#wait();
  }

  /** Begins anew. */
  reset(): void {
    this.#lag.reset();
    this.#begin = performance.now();
    this.#cpu = process.cpuUsage();
  }

  /** What it has cost since then. */
  get load(): OwnLoad {
    const { user, system } = process.cpuUsage(this.#cpu);
    const elapsed = Math.max(1, performance.now() - this.#begin);
    return {
      cpu: (user + system) / 1_000 / elapsed,
      lagP99: this.#lag.quantile(0.99),
      lagMax: this.#lag.max,
      crowd: os.loadavg()[0] / Math.max(1, os.cpus().length),
    };
  }

  /** Watches no more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  // No interval: one that is late may skip what it has missed.
  #wait(): void {
    const due = performance.now() + INTERVAL;
    this.#timer = setTimeout(() => {
      this.#lag.add(Math.max(0, performance.now() - due));
      this.#wait();
    }, INTERVAL);
  }
}
