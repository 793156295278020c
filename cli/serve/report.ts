/**
 * What `sse serve` says: where it listens, how to use it, and what happens.
 *
 * @module
 */

import type { CloseReason, Session } from "../../server.ts";
import type { Context } from "../context.ts";
import { isLoopback } from "./hosts.ts";
import type { ServeSettings } from "./options.ts";

/** How long the same fault is told of once, in ms. */
const QUIET = 60_000;

/** How many faults are remembered. */
const MAX_FAULTS = 100;

/** Tells a person. */
export class ServeReport {
  readonly #context: Pick<Context, "stdout" | "stderr">;
  readonly #settings: ServeSettings;
  /** When each fault was told of last. */
  readonly #faults = new Map<string, number>();
  /** When each session began, if that is to be told. */
  readonly #begins = new WeakMap<Session<undefined>, number>();
  #readers = 0;

  constructor(context: Pick<Context, "stdout" | "stderr">, settings: ServeSettings) {
    this.#context = context;
    this.#settings = settings;
  }

  /** Warns of settings that let in more than may be meant. */
  async warn(): Promise<void> {
    const { host, service } = this.#settings;
    if (service.token !== undefined) return;
    if (!isLoopback(host)) {
      await this.#warn(
        `Anybody who can reach ${host} may read and publish: set --token or SSE_TOKEN, or leave out --host`,
      );
    }
    if (service.cors === "*") {
      await this.#warn(
        "Any page that is opened here may read and publish: name its origin in --cors, or set --token",
      );
    }
  }

  /** Says where it listens, and how to use it. */
  async listening(url: string): Promise<void> {
    const { stdout, stderr } = this.#context;
    const { quiet, service } = this.#settings;
    await stdout.line(`Listening at ${url}`);
    if (quiet) return;
    const isOpen = service.token === undefined;
    const curl = isOpen ? "curl" : 'curl -H "authorization: Bearer $SSE_TOKEN"';
    const topic = `${url}topics/news`;
    const rows = [
      ["read", `sse get ${topic}`],
      ["", `${curl} -N ${topic}`],
      ["publish", `echo hello | sse publish ${topic}`],
      ["", `${curl} -H 'content-type: text/plain' -d hello ${topic}`],
      ["watch", `${url}${isOpen ? "" : "#token=..."}`],
      ["metrics", `${url}metrics`],
    ];
    const lines = rows.map(([what, how]) => `  ${stderr.style("dim", what.padEnd(8))} ${how}`);
    if (!isOpen) lines.push("  sse takes the token from SSE_TOKEN, too");
    await stderr.line([...lines, "Ctrl-C ends it"].join("\n"));
  }

  /** Says something that happened. */
  note(text: string): void {
    if (!this.#settings.quiet) this.#context.stderr.line(text);
  }

  /** Says what went wrong: the same once a minute, for it may go wrong with every request. */
  fault(text: string): void {
    const now = performance.now();
    const last = this.#faults.get(text);
    if (last !== undefined && now - last < QUIET) return;
    if (this.#faults.size >= MAX_FAULTS) this.#faults.clear();
    this.#faults.set(text, now);
    this.#warn(text);
  }

  /** Says who comes and goes. */
  session(session: Session<undefined>, change: "join" | "leave"): void {
    this.#readers += change === "join" ? 1 : -1;
    const count = readers(this.#readers);
    if (change === "leave") {
      // Not before: of thousands that are idle it would make a promise each.
      session.closed.then((reason) => this.#left(session, reason, count));
    } else if (this.#settings.verbose) {
      this.#begins.set(session, performance.now());
      const resumed = session.lastEventId === "" ? "" : `, after ${session.lastEventId}`;
      this.note(`+ ${askedFor(session.request)}${resumed} (${count})`);
    }
  }

  /** Says that it is about to end. */
  async draining(sessions: number): Promise<void> {
    if (this.#settings.quiet) return;
    const over = `${this.#settings.drain / 1_000} s`;
    const away = sessions === 0 ? "" : `: ${readers(sessions)} sent away over ${over}`;
    await this.#context.stderr.line(`Stopping${away}; once more ends it at once`);
  }

  /** Says that it has ended. */
  async stopped(): Promise<void> {
    if (!this.#settings.quiet) await this.#context.stderr.line("Stopped");
  }

  #left(session: Session<undefined>, reason: CloseReason, count: string): void {
    if (reason.reason === "error") {
      this.fault(`A reader of ${askedFor(session.request)} was sent away: ${causeOf(reason)}`);
    }
    const begin = this.#begins.get(session);
    if (begin === undefined) return;
    const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
    this.note(`- ${askedFor(session.request)}: ${reason.reason} after ${seconds} s (${count})`);
  }

  async #warn(text: string): Promise<void> {
    const { stderr } = this.#context;
    await stderr.line(`${stderr.style("yellow", "sse:")} ${text}`);
  }
}

function readers(count: number): string {
  return count === 1 ? "1 reader" : `${count} readers`;
}

/** Path and topics, never a token. */
function askedFor(request: Request | undefined): string {
  if (request === undefined || !URL.canParse(request.url)) return "/";
  const { pathname, searchParams } = new URL(request.url);
  const topics = searchParams.getAll("topic");
  return topics.length === 0 ? pathname : `${pathname} ${topics.join(" ")}`;
}

function causeOf({ cause }: CloseReason): string {
  return cause instanceof Error ? cause.message : String(cause);
}
