/**
 * Events whose `data` is JSON, checked by any schema library that speaks Standard Schema.
 *
 * @module
 */

import { InvalidDataError, type InvalidDataIssue } from "../errors.ts";
import type { ServerSentEvent } from "./events.ts";

/**
 * A schema of any library that implements version 1 of the Standard Schema
 * (https://standardschema.dev), such as Zod, Valibot or ArkType: what of it is needed here, so that
 * none of them need be installed.
 *
 * @example Write one by hand
 * ```ts
 * import { readEvents, type StandardSchemaV1 } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const amount: StandardSchemaV1<unknown, number> = {
 *   "~standard": {
 *     version: 1,
 *     vendor: "example",
 *     validate: (value) =>
 *       typeof value === "number" ? { value } : { issues: [{ message: "Expected number" }] },
 *   },
 * };
 * for await (const { data } of readEvents("data: 12\n\n").json(amount)) assertEquals(data + 1, 13);
 * ```
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  /** All that the standard asks of a schema. */
  readonly "~standard": {
    /** The version of the standard. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /**
     * Checks a value, and may transform it.
     *
     * @param value Anything.
     * @returns The value or the issues, or a promise of these.
     */
    readonly validate: (
      value: unknown,
    ) => StandardSchemaResult<Output> | Promise<StandardSchemaResult<Output>>;
    /** Never there at run time: what the types are. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a {@linkcode StandardSchemaV1} makes of a value: the typed value, or why it was refused. */
export type StandardSchemaResult<Output> =
  | {
    /** The value, which the schema may have transformed. */
    readonly value: Output;
    /** None: the value passed. */
    readonly issues?: undefined;
  }
  | {
    /** Why the value was refused. */
    readonly issues: readonly InvalidDataIssue[];
  };

/**
 * A schema for each type of event, by its name. `Events` says what each of them makes of `data`:
 * `{ price: { amount: number }; trade: { price: number; size: number } }`.
 */
export type EventSchemas<Events> = {
  readonly [Type in keyof Events]: StandardSchemaV1<unknown, Events[Type]>;
};

/** A {@linkcode ServerSentEvent} whose `data` is a value and no longer text. */
export interface TypedEvent<Data = unknown, Type extends string = string> {
  /** The type: `"message"` when the block named none (T12). */
  event: Type;
  /** The value. */
  data: Data;
  /** The last event ID at dispatch: it sticks until it changes (T15). `""` when there is none. */
  id: string;
  /** The reconnection time in milliseconds, present only when this block carried a valid one (T17). */
  retry?: number;
}

/** Any event of a map of schemas: a union that `event` tells apart. */
export type TypedEventOf<Events> = {
  [Type in keyof Events & string]: TypedEvent<Events[Type], Type>;
}[keyof Events & string];

/** What {@linkcode JsonReadable.json} can be told. */
export interface JsonOptions {
  /**
   * What becomes of an event whose data is no JSON, or is refused by its schema. `"throw"` ends the
   * reading, cancels the source and rejects with the {@linkcode InvalidDataError}. `"skip"` drops
   * the event: also the way past an end mark such as `[DONE]`. A function is called with the error
   * and waited for, then the event is dropped; what it throws ends the reading likewise.
   *
   * @default {"throw"}
   */
  onInvalid?: "throw" | "skip" | ((error: InvalidDataError) => void | Promise<void>);
}

/** Events that can be had with their `data` as JSON. */
export interface JsonReadable {
  /**
   * The events with their `data` parsed as JSON and, given a schema, checked and typed by it.
   * `T` without a schema is taken on trust.
   *
   * They are read as they are asked for, one by one. A loop that is left cancels the source.
   *
   * @param schema The schema of every event's data; none lets any JSON pass.
   * @param options What becomes of an event with invalid data.
   * @returns An iterator of the events, to be used in one `for await` loop.
   * @throws {TypeError} If `schema` is no schema or map of schemas, or `onInvalid` none of its values.
   *
   * @example Any JSON, past an end mark
   * ```ts
   * import { readEvents } from "@webstreams/sse/parse";
   * import { assertEquals } from "@std/assert";
   *
   * const stream = 'data: {"text":"Hel"}\n\ndata: {"text":"lo"}\n\ndata: [DONE]\n\n';
   * let all = "";
   * const tokens = readEvents(stream).json<{ text: string }>(undefined, { onInvalid: "skip" });
   * for await (const { data } of tokens) all += data.text;
   * assertEquals(all, "Hello");
   * ```
   *
   * @example Check each value
   * ```ts
   * import { readEvents } from "@webstreams/sse/parse";
   * import { assertEquals } from "@std/assert";
   * import { z } from "zod";
   *
   * const Price = z.object({ amount: z.number() });
   * for await (const { data } of readEvents('data: {"amount":12}\n\n').json(Price)) {
   *   assertEquals(data.amount + 1, 13);
   * }
   * ```
   */
  json<T = unknown>(
    schema?: StandardSchemaV1<unknown, T>,
    options?: JsonOptions,
  ): AsyncIterableIterator<TypedEvent<T>>;
  /**
   * The events of the types that `schemas` names, each checked and typed by its own schema. Other
   * events are passed over, whatever their data is.
   *
   * @param schemas The schema of each type of event that is asked for; at least one.
   * @param options What becomes of an event with invalid data.
   * @returns An iterator of the events, to be used in one `for await` loop.
   * @throws {TypeError} If `schemas` is no schema or map of schemas, or `onInvalid` none of its values.
   *
   * @example A union that `event` tells apart
   * ```ts
   * import { readEvents } from "@webstreams/sse/parse";
   * import { assertEquals } from "@std/assert";
   * import { z } from "zod";
   *
   * const schemas = { price: z.object({ amount: z.number() }), halt: z.string() };
   * const stream = 'event: price\ndata: {"amount":12}\n\nevent: ping\ndata:\n\n';
   * for await (const update of readEvents(stream).json(schemas)) {
   *   assertEquals(update.event === "price" ? update.data.amount : update.data.length, 12);
   * }
   * ```
   */
  json<Events extends object>(
    schemas: EventSchemas<Events>,
    options?: JsonOptions,
  ): AsyncIterableIterator<TypedEventOf<Events>>;
}

/**
 * What is behind every {@linkcode JsonReadable.json}, which has the types.
 *
 * @param events The events; returned when the loop is left or an event ends it.
 * @param schema A schema, a map of them, or `undefined`.
 * @param options As there.
 */
export function readJson(
  events: AsyncIterator<ServerSentEvent>,
  schema: unknown,
  options: JsonOptions = {},
): AsyncIterableIterator<TypedEvent> {
  const { onInvalid = "throw" } = options;
  if (onInvalid !== "throw" && onInvalid !== "skip" && typeof onInvalid !== "function") {
    throw new TypeError(
      `Cannot read events as JSON: "onInvalid" must be "throw", "skip" or a function: received ${
        JSON.stringify(onInvalid)
      }`,
    );
  }
  const schemaFor = schemasOf(schema);
  // Calls that are not answered yet, and the last of them.
  let waiting = 0;
  let answer: Promise<unknown> = Promise.resolve();
  let ended = false;

  /** Reads until there is an event to give, in a loop: a promise for each one passed over would pile up. */
  async function pull(): Promise<IteratorResult<TypedEvent, undefined>> {
    try {
      while (!ended) {
        const { done, value: event } = await events.next();
        if (done) break;
        const schema = schemaFor(event.event);
        if (schema === undefined) continue;
        let data: unknown;
        try {
          data = JSON.parse(event.data);
        } catch (cause) {
          await refuse(event, [], { cause });
          continue;
        }
        const checked = schema["~standard"].validate(data);
        // Only where there is a promise, for it costs a turn. One of any make: as a result it would
        // have no issues, and `undefined` for a value.
        const result = "then" in checked ? await checked : checked;
        // Falsy, as the standard has it.
        if (result.issues) await refuse(event, result.issues);
        else if (!ended) return { done: false, value: { ...event, data: result.value } };
      }
      ended = true;
      return { done: true, value: undefined };
    } catch (error) {
      ended = true;
      // Not waited for: a source that takes long to cancel must not hold back the error.
      events.return?.().catch(() => {});
      throw error;
    } finally {
      waiting--;
    }
  }

  /** Drops the event, or throws. */
  async function refuse(
    event: ServerSentEvent,
    issues: readonly InvalidDataIssue[],
    options?: ErrorOptions,
  ): Promise<void> {
    if (ended || onInvalid === "skip") return;
    const error = new InvalidDataError(event, issues, options);
    if (onInvalid === "throw") throw error;
    await onInvalid(error);
  }

  // By hand, for an async generator would leave its source only when a pending read of it is over.
  return {
    // One call after the other: an event that is dropped, or a schema that takes its time, must not
    // let a later call have an earlier event.
    next() {
      const result = waiting++ === 0 ? pull() : answer.then(pull, pull);
      answer = result;
      return result;
    },
    async return() {
      ended = true;
      await events.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The part of a schema that is used here. */
interface Schema {
  readonly "~standard": Pick<StandardSchemaV1["~standard"], "validate">;
}

/** Lets any value pass. */
const ANY: Schema = { "~standard": { validate: (value) => ({ value }) } };

/** The schema of each type of event, `undefined` for those that nobody asked for. */
function schemasOf(schema: unknown): (type: string) => Schema | undefined {
  if (schema === undefined) return () => ANY;
  if (isSchema(schema)) return () => schema;
  // A `Map`, for a type may be `constructor`; and a copy, so that it stays as it is.
  const schemas = new Map<string, Schema>();
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) {
    for (const [type, each] of Object.entries(schema)) {
      if (!isSchema(each)) {
        throw new TypeError(
          `Cannot read events as JSON: the schema of ${
            JSON.stringify(type)
          } must be a Standard Schema: received ${show(each)}`,
        );
      }
      schemas.set(type, each);
    }
  }
  // Also a `Map`, a `Date` or the schema of a library that does not speak the standard.
  if (schemas.size === 0) {
    throw new TypeError(
      `Cannot read events as JSON: "schema" must be a Standard Schema or an object of at least one by event type: received ${
        show(schema)
      }`,
    );
  }
  return (type) => schemas.get(type);
}

/** By its member and not by its type: a schema of ArkType is a function. */
function isSchema(value: unknown): value is Schema {
  return typeof Object(value)["~standard"]?.validate === "function";
}

/** A schema may be large, or not to be stringified at all. */
function show(value: unknown): string {
  return value === null ? "null" : typeof value;
}
