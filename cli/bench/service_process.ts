/**
 * The process of `bench_service.ts`: says where it listens, answers what it has used, and ends with who
 * has started it.
 *
 * @module
 */

import process from "node:process";
import { listen } from "../serve/listen.ts";
import { createService } from "../service.ts";

const service = createService();
const listening = await listen(service.fetch, {
  host: "127.0.0.1",
  port: 0,
  onTaken() {},
  onError(error) {
    console.error(error);
  },
});

process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpu: (user + system) / 1_000, memory: process.memoryUsage().rss });
});
// Ctrl-C is for who has started us: it ends us when it has measured what there is.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
process.send?.({ port: Number(new URL(listening.url).port) });
