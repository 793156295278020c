/** Our responses on `Bun.serve`, of which this is all that is used. */

import { answer } from "./answer.ts";

declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    fetch(request: Request): Response;
  }): { port: number };
};

console.log(Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: answer }).port);
