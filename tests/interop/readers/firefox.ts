/**
 * The `EventSource` of Firefox, and ours in a page of it. The page asks what to read and posts what it has read; it reads what it
 * may, which is of its own origin: a server that passes all on, both ways.
 *
 * @module
 */

import type { ServerSentEvent } from "../../../parse.ts";
import { within } from "../../fault/real_time.ts";
import { isFile } from "../../../tools/runtimes/browser_page.ts";
import { FIREFOX, launchFirefox } from "../../../tools/runtimes/firefox.ts";
import type { OpenReader, Reader, Unavailable } from "../peers.ts";
import { listenDeno, type Running } from "../../listen.ts";
import { pageScript, readInPage, tell, type Told } from "./in_page.ts";
import { oursOn } from "./ours.ts";
import { Shared } from "./shared.ts";

/** How long it may take to open the page, in ms. */
const PATIENCE = 60_000;

/** Six at a time is what it has for a host, and questions take one. */
const PREFERENCES = { "network.http.max-persistent-connections-per-server": 32 };

/** What the page asks for, and answers. */
interface Question extends Told {
  readonly number: number;
}

const PAGE = `<!doctype html><meta charset="utf-8">
<script type="module" src="/ours.js"></script>
<script type="module">
${readInPage}
const post = (path, body) => fetch(path, { method: "POST", body: JSON.stringify(body) });
for (;;) {
  const question = await (await post("/question")).json();
  readInPage(question).then((seen) => post("/answer/" + question.number, seen));
}
</script>`;

/** The server of the page. */
class Desk {
  readonly server: Running = listenDeno((request) => this.#serve(request));
  /** Resolves when the page is there. */
  readonly opened: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #questions: Question[] = [];
  readonly #answers = new Map<number, (seen: ServerSentEvent[]) => void>();
  #wake: (() => void) | undefined = undefined;
  #number = 0;

  readonly #script: string;

  /** Serves the page, with our readers. */
  constructor(script: string) {
    this.#script = script;
  }

  /** Has the page read a URL. */
  ask(url: string, reader: string): Promise<ServerSentEvent[]> {
    const { port, pathname, search } = new URL(url);
    const question = {
      ...tell(`/read/${port}${pathname}${search}`, reader),
      number: this.#number++,
    };
    const { promise, resolve } = Promise.withResolvers<ServerSentEvent[]>();
    this.#answers.set(question.number, resolve);
    this.#questions.push(question);
    this.#wake?.();
    return promise;
  }

  async #serve(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const [, room, name] = pathname.split("/");
    switch (room) {
      case "":
        return new Response(PAGE, { headers: { "content-type": "text/html" } });
      case "ours.js":
        return new Response(this.#script, { headers: { "content-type": "text/javascript" } });
      case "question":
        this.opened.resolve();
        return Response.json(await this.#next());
      case "answer":
        this.#answers.get(Number(name))?.(await request.json());
        return new Response(null, { status: 204 });
      case "read":
        return await pass(request, `http://127.0.0.1:${pathname.slice("/read/".length)}${search}`);
      default:
        return new Response(null, { status: 404 });
    }
  }

  async #next(): Promise<Question> {
    for (;;) {
      const question = this.#questions.shift();
      if (question !== undefined) return question;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/** Passes on what an event stream says, and nothing of the hop. */
async function pass(request: Request, url: string): Promise<Response> {
  const headers = new Headers();
  for (const name of ["accept", "last-event-id"]) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const { status, body, headers: given } = await fetch(url, { headers, signal: request.signal });
  return new Response(body, {
    status,
    headers: { "content-type": given.get("content-type") ?? "", "cache-control": "no-store" },
  });
}

/** The browser with its page. */
interface Shown extends AsyncDisposable {
  readonly desk: Desk;
}

const firefoxes = new Shared<Shown>(start);

async function start(): Promise<Shown | Unavailable> {
  const program = FIREFOX.find(isFile);
  if (program === undefined) {
    return { unavailable: "there is no Firefox: apt-get install firefox-esr" };
  }
  const profile = await Deno.makeTempDir();
  const desk = new Desk(await pageScript());
  const page = `http://127.0.0.1:${desk.server.port}/`;
  const browser = await launchFirefox(program, page, profile, PREFERENCES);
  const leave = async () => {
    await browser.close();
    await desk.server[Symbol.asyncDispose]();
    await Deno.remove(profile, { recursive: true });
  };
  try {
    await within(desk.opened.promise, PATIENCE, () => `${program} opens no page`);
  } catch (error) {
    await leave();
    throw error;
  }
  return { desk, [Symbol.asyncDispose]: leave };
}

function open(reader: string): Promise<OpenReader | Unavailable> {
  return firefoxes.open(({ desk }, url) => desk.ask(url, reader));
}

export const readers: readonly Reader[] = [
  {
    name: "Firefox",
    ours: false,
    feed: "hard",
    seesId: true,
    seesRetry: false,
    resumes: true,
    open: () => open(""),
  },
  ...oursOn("Firefox", open),
];
