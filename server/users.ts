/**
 * Sessions of users by name, which any process on the log can end.
 *
 * Who is revoked while `authorize` is asked must not come in by an answer from before: a visit is known
 * here from the first question on.
 *
 * @module
 */

import type { Access } from "./access.ts";
import type { Authorization } from "./channel_options.ts";
import {
  type Control,
  type ControlListener,
  type ControlMessage,
  MAX_USER_LENGTH,
} from "./control.ts";
import { isPattern, matches } from "./patterns.ts";
import type { Reader } from "./reader.ts";
import { outboxOf } from "./session.ts";

/** Somebody with a name, from asking to come in until the end of the session. */
export interface Visit<State> {
  readonly user: string;
  readonly request: Request;
  /** The topics and patterns that were asked for. */
  readonly topics: readonly string[];
  /** Whoever has revoked the user since `authorize` was asked was heard. */
  heard: boolean;
  revoked: boolean;
  /** Once there is a session. */
  reader?: Reader<State>;
}

/** See the module. */
export class Users<State, A extends Authorization> implements ControlListener {
  readonly #access: Access<State, A>;
  readonly #control: Control | undefined;
  readonly #visits = new Set<Visit<State>>();

  /** @param control What other processes say; `undefined` if there are none. */
  constructor(access: Access<State, A>, control: Control | undefined) {
    this.#access = access;
    this.#control = control;
    control?.listeners.add(this);
  }

  /**
   * Somebody is there, and is asked for next.
   *
   * @throws {TypeError} If the name is none.
   */
  arrive(user: string, request: Request, topics: readonly string[]): Visit<State> {
    checkUser(user);
    const heard = this.#control === undefined || this.#control.following;
    const visit = { user, request, topics, heard, revoked: false };
    this.#visits.add(visit);
    return visit;
  }

  /** Somebody is turned away or has left. */
  leave(visit: Visit<State>): void {
    this.#visits.delete(visit);
  }

  /** A session was opened for a visit: it ends at once if the user was revoked meanwhile. */
  enter(visit: Visit<State>, reader: Reader<State>): void {
    visit.reader = reader;
    if (visit.revoked) outboxOf(reader.session).end({ reason: "revoked" });
  }

  /** Resolves when whoever revokes the user is heard. */
  async hear(visit: Visit<State>): Promise<void> {
    await this.#control?.follow();
    if (!visit.heard) await this.#ask(visit);
  }

  /** Ends the sessions of a user here, and then in all other processes. */
  async revoke(user: string, topic: string | undefined): Promise<void> {
    checkUser(user);
    this.#end(user, topic);
    await this.#control?.send({ kind: "revoke", user, topic });
  }

  onMessage(message: ControlMessage): void {
    if (message.kind === "revoke") this.#end(message.user, message.topic);
  }

  onGap(): void {
    for (const visit of this.#visits) {
      visit.heard = false;
      // Who has no session yet is asked for once there is one.
      visit.reader?.run(() => this.#ask(visit));
    }
  }

  #end(user: string, topic: string | undefined): void {
    for (const visit of this.#visits) {
      if (visit.user !== user || (topic !== undefined && !asksFor(visit.topics, topic))) continue;
      visit.revoked = true;
      if (visit.reader !== undefined) outboxOf(visit.reader.session).end({ reason: "revoked" });
    }
  }

  async #ask(visit: Visit<State>): Promise<void> {
    const { reader, request, topics } = visit;
    // What is missed from here on says so again.
    visit.heard = true;
    if (reader !== undefined) await this.#access.ask(reader, request, topics);
  }
}

/** Also by a pattern whose topics are not known yet. */
function asksFor(topics: readonly string[], topic: string): boolean {
  return topics.some((text) => isPattern(text) ? matches(text, topic) : text === topic);
}

function checkUser(user: string): void {
  if (typeof user === "string" && user !== "" && user.length <= MAX_USER_LENGTH) return;
  throw new TypeError(
    `Cannot tell users apart: "user" must be a string of 1 to ${MAX_USER_LENGTH} UTF-16 code units: received ${
      typeof user === "string" ? `${user.length} of them` : String(user)
    }`,
  );
}
