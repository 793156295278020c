/** Our readers in workerd. */

import { isUnavailable, type OpenReader, type Reader, type Unavailable } from "../peers.ts";
import { startWorkerd } from "../workerd.ts";
import { tell } from "./in_page.ts";
import { oursOn } from "./ours.ts";
import { Shared } from "./shared.ts";

const workerd = new Shared(() => startWorkerd("readers/_worker.ts"));

async function open(reader: string): Promise<OpenReader | Unavailable> {
  const running = await workerd.open();
  if (isUnavailable(running)) return running;
  return {
    async read(url, seen, signal) {
      const body = JSON.stringify(tell(url, reader));
      const at = `http://127.0.0.1:${running.port}/`;
      const response = await fetch(at, { method: "POST", body, signal });
      seen.push(...await response.json());
    },
    [Symbol.asyncDispose]: () => workerd.close(),
  };
}

export const readers: readonly Reader[] = oursOn("workerd", open);
