/**
 * The appends of one turn to one topic, sent as one: a script costs the engine more than what it does,
 * and one message costs a follower less than many.
 *
 * @module
 */

import { type EventId, formatEventId } from "../server/log.ts";
import type { Commands, Script } from "./redis_commands.ts";
import type { Place } from "./redis_places.ts";

/** How many events are sent as one, and how long their records are, in UTF-16 code units. */
const [MAX_EVENTS, MAX_LENGTH] = [128, 262_144];

/** Records that are sent as one. */
interface Group {
  readonly records: string[];
  length: number;
  /** When the first of them came. */
  readonly now: number;
  /** Where the first of them is now; `undefined` if they must be appended one by one. */
  readonly first: PromiseWithResolvers<EventId | undefined>;
}

/** See the module. */
export class Groups {
  readonly #commands: Commands;
  readonly #script: Script;
  /** Those that are sent at the end of the turn. */
  readonly #open = new Map<Place, Group>();

  /** @param script Appends records to a topic that is as it was. */
  constructor(commands: Commands, script: Script) {
    this.#commands = commands;
    this.#script = script;
  }

  /**
   * Appends a record with the others of this turn; gives its id, or `undefined` if it must be appended
   * alone.
   *
   * @param now The time of `performance.now()`.
   */
  async append(place: Place, record: string, now: number): Promise<string | undefined> {
    const group = this.#groupOf(place, record, now);
    const index = group.records.push(record) - 1;
    group.length += record.length;
    const first = await group.first.promise;
    return first && formatEventId({ epoch: first.epoch, seq: first.seq + index });
  }

  /** Sends what waits: what comes now is after it. */
  flush(place: Place): void {
    const group = this.#open.get(place);
    if (group === undefined) return;
    this.#open.delete(place);
    this.#send(place, group).then(group.first.resolve, group.first.reject);
  }

  #groupOf(place: Place, { length }: string, now: number): Group {
    const open = this.#open.get(place);
    const fits = open !== undefined && open.records.length < MAX_EVENTS &&
      open.length + length <= MAX_LENGTH;
    if (fits) return open;
    this.flush(place);
    const first = Promise.withResolvers<EventId | undefined>();
    const group: Group = { records: [], length: 0, now, first };
    this.#open.set(place, group);
    queueMicrotask(() => {
      if (this.#open.get(place) === group) this.flush(place);
    });
    return group;
  }

  async #send(place: Place, { records, now }: Group): Promise<EventId | undefined> {
    const { epoch, seq, channel, pair } = place;
    const args = [epoch, `${seq}`, channel, ...records];
    const reply = await this.#commands.run("append event", this.#script, pair, args, now);
    if (reply === null) return undefined;
    const first = Number(reply);
    place.see(epoch, first + records.length - 1);
    return { epoch, seq: first };
  }
}
