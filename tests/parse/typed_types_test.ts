/** {@linkcode JsonReadable.json}: the types it infers, which `deno check` proves. */

import { assertEquals } from "@std/assert";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { InvalidDataError } from "../../errors.ts";
import { readEvents } from "../../parse.ts";
import type { ServerSentEvent } from "../../parse/events.ts";
import type {
  EventSchemas,
  JsonOptions,
  JsonReadable,
  StandardSchemaV1,
  TypedEvent,
  TypedEventOf,
} from "../../parse/typed.ts";

/** Whether two types are the same, `any` and `unknown` told apart. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

/** Compiles for `true` only. */
type Assert<Holds extends true> = Holds;

/** What the loop over an iterator gives. */
type Item<Iterator> = Iterator extends AsyncIterable<infer T> ? T : never;

/** Never read from. */
const reader: JsonReadable = readEvents("");

interface Price {
  amount: number;
}

interface Trade {
  size: number;
  at: Date;
}

const ZodPrice = z.object({ amount: z.number() });
const ZodTrade = z.object({ size: z.number(), at: z.string().transform((text) => new Date(text)) });
const ValibotPrice = v.object({ amount: v.number() });
const ValibotTrade = v.object({
  size: v.number(),
  at: v.pipe(v.string(), v.transform((text) => new Date(text))),
});
const ArkPrice = type({ amount: "number" });
const ArkTrade = type({ size: "number", at: "string.date.parse" });
const OwnPrice: StandardSchemaV1<unknown, Price> = {
  "~standard": { version: 1, vendor: "tests", validate: () => ({ value: { amount: 12 } }) },
};

Deno.test("Equal tells apart what is easily mistaken", () => {
  type _ = [
    Assert<Equal<{ a: 1 }, { a: 1 }>>,
    Assert<Equal<Equal<unknown, Price>, false>>,
    // deno-lint-ignore no-explicit-any
    Assert<Equal<Equal<any, Price>, false>>,
    // deno-lint-ignore no-explicit-any
    Assert<Equal<Equal<any, unknown>, false>>,
    Assert<Equal<Equal<never, Price>, false>>,
    Assert<Equal<Equal<{ a?: 1 }, { a: 1 }>, false>>,
  ];
});

Deno.test("JsonReadable.json without a schema gives unknown, or what it is told", () => {
  const plain = reader.json();
  const skipping = reader.json(undefined, { onInvalid: "skip" });
  const trusted = reader.json<Price>();
  type _ = [
    Assert<Equal<Item<typeof plain>, TypedEvent<unknown, string>>>,
    Assert<Equal<Item<typeof plain>["data"], unknown>>,
    Assert<Equal<Item<typeof skipping>, TypedEvent<unknown, string>>>,
    Assert<Equal<Item<typeof trusted>, TypedEvent<Price, string>>>,
  ];
});

Deno.test("JsonReadable.json gives the output of a schema", () => {
  const zod = reader.json(ZodPrice);
  const zodOutput = reader.json(ZodTrade);
  const valibot = reader.json(ValibotPrice);
  const valibotOutput = reader.json(ValibotTrade);
  const ark = reader.json(ArkPrice);
  const arkOutput = reader.json(ArkTrade);
  const own = reader.json(OwnPrice, { onInvalid: () => {} });
  const text = reader.json(z.string());
  const either = reader.json(z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a"), a: z.number() }),
    z.object({ kind: z.literal("b"), b: z.string() }),
  ]));
  const later = reader.json(v.pipeAsync(v.number(), v.checkAsync(() => Promise.resolve(true))));
  type _ = [
    Assert<Equal<Item<typeof zod>["data"], { amount: number }>>,
    Assert<Equal<Item<typeof zod>["event"], string>>,
    Assert<Equal<Item<typeof zodOutput>["data"], { size: number; at: Date }>>,
    Assert<Equal<Item<typeof valibot>["data"], { amount: number }>>,
    Assert<Equal<Item<typeof valibotOutput>["data"], { size: number; at: Date }>>,
    Assert<Equal<Item<typeof ark>["data"], { amount: number }>>,
    Assert<Equal<Item<typeof arkOutput>["data"], { size: number; at: Date }>>,
    Assert<Equal<Item<typeof own>, TypedEvent<Price, string>>>,
    Assert<Equal<Item<typeof text>["data"], string>>,
    Assert<
      Equal<Item<typeof either>["data"], { kind: "a"; a: number } | { kind: "b"; b: string }>
    >,
    Assert<Equal<Item<typeof later>["data"], number>>,
  ];
});

Deno.test("JsonReadable.json gives a union that event tells apart for a map of schemas", async () => {
  const zod = reader.json({ price: ZodPrice, trade: ZodTrade });
  const valibot = reader.json({ price: ValibotPrice, trade: ValibotTrade });
  const ark = reader.json({ price: ArkPrice, trade: ArkTrade });
  const mixed = reader.json({ price: OwnPrice, trade: ArkTrade, message: z.string() });
  const one = reader.json({ price: ZodPrice } as const, { onInvalid: "skip" });
  type PriceOrTrade =
    | TypedEvent<{ amount: number }, "price">
    | TypedEvent<{ size: number; at: Date }, "trade">;
  type _ = [
    Assert<Equal<Item<typeof zod>, PriceOrTrade>>,
    Assert<Equal<Item<typeof valibot>, PriceOrTrade>>,
    Assert<Equal<Item<typeof ark>, PriceOrTrade>>,
    Assert<Equal<Item<typeof mixed>["event"], "price" | "trade" | "message">>,
    Assert<Equal<Extract<Item<typeof mixed>, { event: "message" }>["data"], string>>,
    Assert<Equal<Extract<Item<typeof mixed>, { event: "price" }>["data"], Price>>,
    Assert<Equal<Item<typeof one>, TypedEvent<{ amount: number }, "price">>>,
  ];
  for await (const update of zod) {
    if (update.event === "price") update.data.amount.toFixed();
    else update.data.at.getTime();
    // @ts-expect-error a trade has no amount
    update.data.amount;
    // @ts-expect-error nobody asked for it
    assertEquals(update.event === "ping", false);
  }
});

Deno.test("JsonReadable.json holds a map to the types that are named", () => {
  type Events = { price: Price; trade: Trade };
  const typed = reader.json<Events>({ price: ZodPrice, trade: ZodTrade });
  type _ = [
    Assert<Equal<Item<typeof typed>, TypedEventOf<Events>>>,
    Assert<Equal<TypedEventOf<Events>, TypedEvent<Price, "price"> | TypedEvent<Trade, "trade">>>,
  ];
  // @ts-expect-error a price is no trade
  reader.json<Events>({ price: ZodPrice, trade: ZodPrice });
  // @ts-expect-error no schema for trades
  assertEquals(Object.keys(exactly<Events>({ price: ZodPrice })), ["price"]);
});

function exactly<Events>(schemas: EventSchemas<Events>): EventSchemas<Events> {
  return schemas;
}

Deno.test("JsonReadable.json infers through a function that is generic itself", () => {
  function pass<T>(schema: StandardSchemaV1<unknown, T>) {
    return reader.json(schema);
  }
  function passAll<Events extends object>(schemas: EventSchemas<Events>) {
    return reader.json(schemas);
  }
  const one = pass(ZodPrice);
  const all = passAll({ price: ValibotPrice });
  const some: Record<string, StandardSchemaV1<unknown, Price>> = { price: ZodPrice };
  const any = reader.json(some);
  type _ = [
    Assert<Equal<Item<typeof one>, TypedEvent<{ amount: number }, string>>>,
    Assert<Equal<Item<typeof all>, TypedEvent<{ amount: number }, "price">>>,
    Assert<Equal<Item<typeof any>, TypedEvent<Price, string>>>,
  ];
});

Deno.test("JsonReadable.json gives an iterator of whole events", () => {
  const typed = reader.json(OwnPrice);
  type _ = [
    Assert<Equal<typeof typed, AsyncIterableIterator<TypedEvent<Price>>>>,
    Assert<Equal<Omit<TypedEvent, "data">, Omit<ServerSentEvent, "data">>>,
    Assert<Equal<Omit<TypedEvent<string>, never>, Omit<ServerSentEvent, never>>>,
  ];
});

Deno.test("JsonOptions.onInvalid takes a function of the error", () => {
  type Tell = Extract<JsonOptions["onInvalid"], (error: never) => unknown>;
  type _ = [Assert<Equal<Parameters<Tell>, [error: InvalidDataError]>>];
  const error = new InvalidDataError({ event: "price", data: "", id: "" });
  type Read = Pick<InvalidDataError, "event" | "issues">;
  const { event, issues }: Read = error;
  assertEquals([event.data, issues], ["", []]);
});

Deno.test("JsonReadable.json refuses at compile time what it refuses at run time", () => {
  const mistakes = [
    // @ts-expect-error a name is no schema
    () => reader.json("price"),
    // @ts-expect-error null is no schema
    () => reader.json(null),
    // @ts-expect-error options stand in the second place
    () => reader.json({ onInvalid: "skip" }),
    // @ts-expect-error one of the values is no schema
    () => reader.json({ price: ZodPrice, trade: 1 }),
    // @ts-expect-error no such behaviour
    () => reader.json(ZodPrice, { onInvalid: "ignore" }),
  ];
  for (const mistake of mistakes) {
    let thrown: unknown;
    try {
      mistake();
    } catch (error) {
      thrown = error;
    }
    assertEquals(thrown instanceof TypeError, true);
  }
});
