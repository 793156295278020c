/**
 * The connections that `sse check` makes to a server, one after the other, each bounded in time.
 *
 * @module
 */

import { lastEventIdHeader } from "../../client/resume.ts";
import { Failure, withCauses } from "../failure.ts";
import { visible } from "../visible.ts";
import { type Answer, ask, hasLeft, type Question } from "./ask.ts";
import type { Clock } from "./clock.ts";
import { deservesComparison } from "./compression.ts";
import type { Finding } from "./finding.ts";
import { type Heard, listen } from "./listen.ts";
import { offersHttp2 } from "./protocol.ts";
import { canJudgeResume, judgeResume, placeToResume } from "./resume.ts";
import { time } from "./text.ts";
import type { Transcript } from "./transcript.ts";

/** How long the first connection lasts, in ms, if nothing else is said. */
export const DEFAULT_TIME = 15_000;
/** How long a body that is no event stream is read, in ms. */
const GLANCE = 1_000;
/** How long a second connection may take, in ms. */
const SECOND = 5_000;
/** After so many ms, portions and events a stream that flows on has shown what it can. */
const ENOUGH = { time: 5_000, bursts: 10, events: 20 };

/** How the connections are made. */
export interface ProbeOptions {
  /** Ends all of them. */
  readonly signal: AbortSignal;
  /** What is measured with. */
  readonly clock: Clock;
  /** How long the first one lasts at most, in ms. */
  readonly listenFor: number;
  /** Whether there is a second one, to see whether it goes on where the first was. */
  readonly resumes: boolean;
}

/** Makes the connections. */
export class Probe {
  /** What is asked for. */
  readonly question: Question;
  /** How long the first connection lasts at most, in ms. */
  readonly listenFor: number;
  readonly #options: ProbeOptions;

  /** Makes none yet. */
  constructor(question: Question, options: ProbeOptions) {
    this.question = question;
    this.listenFor = options.listenFor;
    this.#options = options;
  }

  /**
   * Asks.
   *
   * @returns The answer; `undefined` if no headers came in time.
   * @throws {Failure} If nobody answers.
   */
  async ask(): Promise<Answer | undefined> {
    let connected = false;
    try {
      const answer = await this.#within(this.question, this.listenFor, () => connected = true);
      if (answer === undefined && !connected) {
        throw new Error(`nobody took the connection within ${time(this.listenFor)}`);
      }
      return answer;
    } catch (error) {
      const { signal } = this.#options;
      if (signal.aborted || !(error instanceof Error) || isOurs(error)) throw error;
      const reason = visible(withCauses(error));
      throw new Failure(
        `Cannot check ${visible(this.question.url.href)}: ${reason}, ${remedy(error)}`,
        { cause: error },
      );
    }
  }

  /** Looks at the start of a body that is no event stream. */
  glance(answer: Answer): Promise<Heard> {
    return this.#listen(answer, Math.min(GLANCE, this.listenFor));
  }

  /** Listens for as long as it pays; where more time was asked for, for all of it. */
  listen(answer: Answer, onChunk: (transcript: Transcript) => void): Promise<Heard> {
    const early = this.listenFor <= DEFAULT_TIME;
    const enough = ({ full, bursts, events }: Transcript, at: number) =>
      early && (full ||
        at >= ENOUGH.time && bursts.length >= ENOUGH.bursts && events.length >= ENOUGH.events);
    return listen(answer, { ...this.#options, until: this.listenFor, enough, onChunk });
  }

  /** Whether the server offers HTTP/2. */
  offersHttp2(url: URL): Promise<boolean | undefined> {
    return offersHttp2(url, this.#options.signal, this.#options.clock);
  }

  /** Asks again without compression, if it seems to hold events back. */
  async compare(heard: Heard, onStart: () => void): Promise<Heard | undefined> {
    if (!this.#mayAskAgain || !deservesComparison(heard)) return undefined;
    onStart();
    const answer = await this.#again({ "accept-encoding": "identity" });
    if (answer === undefined) return undefined;
    return await this.#listen(answer, SECOND, ({ bursts }) => bursts.length > 0);
  }

  /** Comes back as a reader that was cut off, and judges what it gets. */
  async resume(heard: Heard, onStart: () => void): Promise<Finding[]> {
    if (this.#options.signal.aborted) return [];
    if (!this.#mayAskAgain) {
      const seen = this.#options.resumes
        ? `A ${this.question.method} is not sent twice: it may do something`
        : "There was no second connection: --no-resume";
      return [{ check: "resume", level: "unknown", seen }];
    }
    if (hasLeft(heard.head)) {
      const seen = "The last event ID does not follow a redirect to another origin";
      return [{ check: "resume", level: "unknown", seen, fix: "Check the final URL" }];
    }
    onStart();
    const place = placeToResume(heard.transcript);
    const id = place && lastEventIdHeader(place.id);
    const asked = id === undefined ? undefined : place;
    const answer = await this.#again(id === undefined ? {} : { "last-event-id": id });
    if (this.#options.signal.aborted) return [];
    const patience = asked === undefined ? 0 : SECOND;
    const again = answer && await this.#listen(answer, patience, canJudgeResume);
    return judgeResume(heard, asked, again);
  }

  /** A request that may change something is made once. */
  get #mayAskAgain(): boolean {
    const { resumes, signal } = this.#options;
    return resumes && !signal.aborted && /^(?:GET|HEAD|QUERY)$/.test(this.question.method);
  }

  /** One more connection; `undefined` if it fails or takes too long, which tells enough. */
  async #again(more: Record<string, string>): Promise<Answer | undefined> {
    const headers = new Headers(this.question.headers);
    for (const [name, value] of Object.entries(more)) headers.set(name, value);
    try {
      return await this.#within({ ...this.question, headers }, Math.min(SECOND, this.listenFor));
    } catch {
      return undefined;
    }
  }

  /** An answer whose headers came in time. */
  async #within(
    question: Question,
    ms: number,
    onConnect?: () => void,
  ): Promise<Answer | undefined> {
    const { signal, clock } = this.#options;
    const late = new AbortController();
    const stop = clock.after(ms, () => late.abort());
    try {
      return await ask(question, {
        signal: AbortSignal.any([signal, late.signal]),
        clock,
        onConnect,
      });
    } catch (error) {
      if (late.signal.aborted && !signal.aborted) return undefined;
      throw error;
    } finally {
      stop();
    }
  }

  #listen(
    answer: Answer,
    ms: number,
    enough?: (transcript: Transcript) => boolean,
  ): Promise<Heard> {
    const until = answer.head.at + Math.min(ms, this.listenFor);
    const done = (transcript: Transcript) => transcript.full || enough?.(transcript) === true;
    return listen(answer, { ...this.#options, until, enough: done });
  }
}

/** What to do about a connection that failed. */
function remedy(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  if (/cert|\bssl\b|\btls\b/i.test(`${code} ${error.message}`)) {
    return "see that it speaks TLS and that its certificate is trusted (NODE_EXTRA_CA_CERTS names a file with more)";
  }
  return /^HPE_|^ECONNRESET$/.test(code)
    ? "see that it is HTTP what is spoken there"
    : "see that a server listens there";
}

/** What has a sentence of its own. */
function isOurs(error: Error): boolean {
  return "code" in error && String(error.code).startsWith("ERR_SSE_");
}
