/**
 * The `EventSource` of Firefox. Its page asks what to read and posts what it has read; it reads what it
 * may, which is of its own origin: a server that passes all on, both ways.
 *
 * @module
 */

import type { ServerSentEvent } from "../../../parse.ts";
import { within } from "../../fault/real_time.ts";
import type { OpenReader, Reader, Running, Unavailable } from "../peers.ts";
import { listenDeno } from "../senders/listen.ts";
import { readInPage, tell, type Told } from "./in_page.ts";

const PROGRAMS = ["/usr/bin/firefox-esr", "/usr/bin/firefox"];

/** How long it may take to open the page, in ms. */
const PATIENCE = 60_000;

/** Whatever is not on loopback goes to a proxy that is not there: it asks for much by itself. */
const PREFERENCES: Readonly<Record<string, string | number | boolean>> = {
  "network.proxy.type": 1,
  "network.proxy.http": "127.0.0.1",
  "network.proxy.http_port": 9,
  "network.proxy.ssl": "127.0.0.1",
  "network.proxy.ssl_port": 9,
  "network.proxy.failover_direct": false,
  "network.trr.mode": 5,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,none",
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.safebrowsing.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.page": 0,
  "datareporting.policy.dataSubmissionEnabled": false,
  "datareporting.policy.firstRunURL": "",
  "dom.push.connection.enabled": false,
  "termsofuse.bypassNotification": true,
  "toolkit.telemetry.enabled": false,
  // Six at a time is what it has for a host, and questions take one.
  "network.http.max-persistent-connections-per-server": 32,
};

/** What the page asks for, and answers. */
interface Question extends Told {
  readonly number: number;
}

const PAGE = `<!doctype html><meta charset="utf-8"><script type="module">
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

  /** Has the page read a URL. */
  ask(url: string): Promise<ServerSentEvent[]> {
    const { port, pathname, search } = new URL(url);
    const question = { ...tell(`/read/${port}${pathname}${search}`), number: this.#number++ };
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

async function open(): Promise<OpenReader | Unavailable> {
  const program = PROGRAMS.find(isFile);
  if (program === undefined) {
    return { unavailable: "there is no Firefox: apt-get install firefox-esr" };
  }
  const profile = await Deno.makeTempDir();
  const lines = Object.entries(PREFERENCES)
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  await Deno.writeTextFile(`${profile}/user.js`, lines.join(""));
  const desk = new Desk();
  const page = `http://127.0.0.1:${desk.server.port}/`;
  const browser = new Deno.Command(program, {
    args: ["--headless", "--new-instance", "--profile", profile, page],
    // Other folders of the user are not its business.
    env: { HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const leave = async () => {
    await end(browser);
    await desk.server[Symbol.asyncDispose]();
    await Deno.remove(profile, { recursive: true });
  };
  try {
    await within(desk.opened.promise, PATIENCE, () => `${program} opens no page`);
  } catch (error) {
    await leave();
    throw error;
  }
  return {
    async read(url, seen) {
      seen.push(...await desk.ask(url));
    },
    [Symbol.asyncDispose]: leave,
  };
}

/** Ends it gently, for it has processes of its own, or else by force. */
async function end(browser: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      browser.kill(signal);
    } catch {
      // It has left already.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), 3_000);
  await browser.status;
  clearTimeout(timer);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

export const readers: readonly Reader[] = [{
  name: "Firefox",
  ours: false,
  feed: "hard",
  seesId: true,
  seesRetry: false,
  resumes: true,
  open,
}];
