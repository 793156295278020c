/**
 * Which topics a service has: those that its log holds, and those that somebody reads.
 *
 * @module
 */

import type { EventLog, Session } from "../../server.ts";
import { isTopic } from "../../server/patterns.ts";

/** A topic, and how many read it. */
export interface TopicStatus {
  /** Its name. */
  readonly topic: string;
  /** How many readers it has. */
  readonly readers: number;
}

/** The topics, as `/status` tells of them. */
export interface TopicList {
  /** The first 200, by their names. */
  readonly topics: readonly TopicStatus[];
  /** How many there are; of those that nobody reads, at most 10 000 are known. */
  readonly topicCount: number;
}

/** How many topics are listed. */
const MAX_LISTED = 200;

/** How many topics of the log are known: their names alone may take some megabytes. */
const MAX_KNOWN = 10_000;

/** After how many lists the log is asked again: it does not tell of the topics that it drops. */
const REFRESH = 30;

/** Counts topics. It asks the log only between `start` and `stop`. */
export class TopicCensus {
  readonly #log: EventLog;
  /** How many sessions have asked for a topic by its name. */
  readonly #named = new Map<string, number>();
  #known = new Set<string>();
  #watching: AbortController | undefined = undefined;
  #lists = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Takes note of a session that comes or goes. */
  count({ request }: Pick<Session<undefined>, "request">, change: "join" | "leave"): void {
    for (const topic of new Set(topicsOf(request))) {
      const sessions = (this.#named.get(topic) ?? 0) + (change === "join" ? 1 : -1);
      if (sessions > 0) this.#named.set(topic, sessions);
      else this.#named.delete(topic);
    }
  }

  /** Somebody wants to know. Resolves when the log has answered, or is away. */
  start(): Promise<void> {
    this.#watching?.abort();
    const watching = new AbortController();
    this.#watching = watching;
    return this.#watch(watching.signal);
  }

  /** Nobody wants to know any more. */
  stop(): void {
    this.#watching?.abort();
    this.#watching = undefined;
    this.#known = new Set();
    this.#lists = 0;
  }

  /** The topics by now. */
  list(readersOf: (topic: string) => number): TopicList {
    // What is known stays until the log has answered.
    if (++this.#lists % REFRESH === 0 && this.#watching !== undefined) this.start();
    const names = new Set([...this.#named.keys(), ...this.#known]);
    const first = [...names].sort().slice(0, MAX_LISTED);
    const topics = first.map((topic) => ({ topic, readers: readersOf(topic) }));
    return { topics, topicCount: names.size };
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const known = new Set<string>();
    const add = (topic: string) => {
      if (known.size < MAX_KNOWN && isTopic(topic)) known.add(topic);
    };
    try {
      const topics = await this.#log.topics?.({ signal, onTopic: add }) ?? [];
      if (signal.aborted) return;
      for (const topic of topics) add(topic);
      this.#known = known;
    } catch {
      // The log is away: it is asked again with a later list.
    }
  }
}

/** The topics that a request of the service names. */
function topicsOf(request: Request | undefined): string[] {
  if (request === undefined || !URL.canParse(request.url)) return [];
  const { pathname, searchParams } = new URL(request.url);
  const [, segment] = /^\/topics\/([^/]+)$/.exec(pathname) ?? [];
  const names = segment === undefined ? searchParams.getAll("topic") : [decode(segment)];
  return names.filter(isTopic);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return "";
  }
}
