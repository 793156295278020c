/** Our readers in workerd. */

import type { OpenReader, Reader, Unavailable } from "../peers.ts";
import { startWorkerd } from "../workerd.ts";
import { tell } from "./in_page.ts";
import { oursOn } from "./ours.ts";
import { Shared } from "./shared.ts";

const workerd = new Shared(() => startWorkerd("readers/_worker.ts"));

function open(reader: string): Promise<OpenReader | Unavailable> {
  return workerd.open(async ({ port }, url, signal) => {
    const body = JSON.stringify(tell(url, reader));
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body, signal });
    return await response.json();
  });
}

export const readers: readonly Reader[] = oursOn("workerd", open);
