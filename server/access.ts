/**
 * Who may read, and whether they still may.
 *
 * @module
 */

import type { Authorization, AuthorizeResult, ChannelOptions } from "./channel_options.ts";
import { MAX_TIMER } from "./deadlines.ts";
import type { Reader } from "./reader.ts";
import { refusal } from "./request.ts";
import { outboxOf } from "./session.ts";
import { checkNumber } from "./stream_options.ts";

/** Who is asked for again and again. */
interface Checked<State> {
  readonly reader: Reader<State>;
  timer?: ReturnType<typeof setTimeout>;
}

/** See the module. */
export class Access<State, A extends Authorization> {
  readonly #options: Pick<ChannelOptions<State, A>, "authorize" | "revalidate">;

  constructor(options: Pick<ChannelOptions<State, A>, "authorize" | "revalidate">) {
    if (options.revalidate !== undefined) checkNumber("revalidate", options.revalidate, 1);
    this.#options = options;
  }

  /** Whether a request may read topics, or publish to one. */
  authorize(request: Request, topics: readonly string[]): Authorization {
    return this.#options.authorize ? this.#options.authorize(request, { topics }) : true;
  }

  /** Ends a session that may not stay. Rejects with what `authorize` fails of. */
  async ask(reader: Reader<State>, request: Request, topics: readonly string[]): Promise<void> {
    if (await this.authorize(request, topics) === true) return;
    outboxOf(reader.session).end({ reason: "revoked" });
  }

  /** Asks again and again whether a session may stay, until it ends and its timer is cleared. */
  revalidate(checked: Checked<State>, request: Request, topics: readonly string[]): void {
    const { revalidate } = this.#options;
    if (revalidate === undefined) return;
    const { reader } = checked;
    const ask = async () => {
      await this.ask(reader, request, topics);
      if (!reader.ended) this.revalidate(checked, request, topics);
    };
    checked.timer = setTimeout(() => reader.run(ask), Math.min(revalidate, MAX_TIMER));
  }
}

/** The answer to who may not, if it may not. What is only truthy allows nothing. */
export function denialOf(allowed: AuthorizeResult, headers?: HeadersInit): Response | undefined {
  if (allowed === true) return undefined;
  return allowed instanceof Response ? allowed : refusal(403, "Forbidden", headers);
}
