/** `curl -N`, whose bytes are then read by ours: it may change none, and compress none away. */

import { readEvents, type ServerSentEvent } from "../../../parse.ts";
import { isEnd } from "../feeds.ts";
import { type OpenReader, openReader, type Reader, type Unavailable } from "../peers.ts";

/** Reads one response; whether it came to the end of the feed. */
async function once(
  url: string,
  seen: ServerSentEvent[],
  lastEventId: string,
  signal: AbortSignal,
): Promise<{ ended: boolean; lastEventId: string }> {
  const args = ["-sN", "--compressed", "--noproxy", "*", "-H", "Accept: text/event-stream"];
  if (lastEventId !== "") args.push("-H", `Last-Event-ID: ${lastEventId}`);
  const curl = new Deno.Command("curl", { args: [...args, url], stdin: "null", stdout: "piped" })
    .spawn();
  const kill = () => {
    try {
      curl.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  signal.addEventListener("abort", kill);
  let ended = false;
  const reader = readEvents(curl.stdout, { lastEventId });
  for await (const event of reader) {
    ended = isEnd(event);
    if (ended) break;
    seen.push(event);
  }
  signal.removeEventListener("abort", kill);
  // It would read on until there is nothing to write to.
  kill();
  await curl.status;
  return { ended, lastEventId: reader.lastEventId };
}

async function read(url: string, seen: ServerSentEvent[], signal: AbortSignal): Promise<void> {
  let last = { ended: false, lastEventId: "" };
  do last = await once(url, seen, last.lastEventId, signal); while (
    !last.ended && !signal.aborted && url.includes("resume")
  );
}

async function open(): Promise<OpenReader | Unavailable> {
  try {
    await new Deno.Command("curl", { args: ["--version"], stdout: "null" }).output();
    return openReader(read);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { unavailable: "there is no curl: apt-get install curl" };
  }
}

export const readers: readonly Reader[] = [{
  name: "curl -N",
  ours: false,
  feed: "hard",
  seesId: true,
  seesRetry: true,
  resumes: true,
  open,
}];
