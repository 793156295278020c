/**
 * The live progress of long jobs, with a page that shows it: open http://127.0.0.1:8000/ and press
 * the button. The page is a plain `EventSource`; close the laptop and open it again, and the bar goes
 * on where the job is.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-env=PORT examples/progress.ts
 * ```
 *
 * @module
 */

import { Hub } from "@webstreams/sse/server";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "./run.ts";

const USAGE = `Usage: deno run --allow-net=127.0.0.1 --allow-env=PORT examples/progress.ts

Shows how far a long job is: open http://127.0.0.1:8000/ in a browser, or
  curl -X POST http://127.0.0.1:8000/jobs
  curl -N http://127.0.0.1:8000/jobs/ID`;

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>A long job</title>
<button>Start</button> <progress value="0"></progress> <output>no job</output>
<script type="module">
  const [button, bar, text] = document.querySelectorAll("button, progress, output");
  button.onclick = async () => {
    const { url } = await (await fetch("/jobs", { method: "POST" })).json();
    const source = new EventSource(url);
    source.addEventListener("progress", ({ data }) => {
      const { step, steps } = JSON.parse(data);
      bar.max = steps;
      bar.value = step;
      text.value = step + " of " + steps;
      if (step === steps) source.close();
    });
  };
</script>
`;

interface Job {
  step: number;
  steps: number;
}

const MAX_JOBS = 1_000;
const jobs = new Map<string, Job>();

const hub = new Hub<Job>({
  retry: 500,
  // Who is slow is best served with the newest figure.
  slowConsumer: "latest-by-key",
  key: ({ event }) => event,
  onSession(session, change) {
    // Who comes for the first time is shown how far the job is; who comes back gets what it missed.
    if (change === "leave" || session.lastEventId !== "") return;
    session.send({ event: "progress", data: JSON.stringify(session.state) });
  },
});

async function work(id: string, job: Job): Promise<void> {
  while (job.step < job.steps) {
    await delay(50); // The work.
    job.step++;
    await hub.publish(id, { event: "progress", data: JSON.stringify(job) });
  }
}

function handler(request: Request): Response {
  const { pathname } = new URL(request.url);
  if (pathname === "/") return new Response(PAGE, { headers: { "content-type": "text/html" } });
  if (pathname === "/jobs" && request.method === "POST") {
    const [id, job] = [crypto.randomUUID(), { step: 0, steps: 40 }];
    jobs.set(id, job);
    const [oldest] = jobs.keys();
    if (jobs.size > MAX_JOBS) jobs.delete(oldest);
    work(id, job).catch(() => {}); // The hub is closed: nobody waits for it any more.
    return Response.json({ url: `/jobs/${id}` }, { status: 202 });
  }
  const id = pathname.replace("/jobs/", "");
  const state = jobs.get(id);
  if (state === undefined) return new Response("No such job\n", { status: 404 });
  return hub.subscribe(request, { topics: [id], state });
}

await run(USAGE, (listen) => {
  const server = Deno.serve(listen, handler);
  return { port: server.addr.port, finished: server.finished, close: () => hub.close() };
});
