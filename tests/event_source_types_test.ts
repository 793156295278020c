/** {@linkcode EventSource}: the types of its listeners, which `deno check` proves. */

import { assertEquals } from "@std/assert";
import { EventSource, type EventSourceErrorEvent } from "../event_source.ts";

/** Whether two types are the same, `any` and `unknown` told apart. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

/** Compiles for `true` only. */
type Assert<Holds extends true> = Holds;

Deno.test("EventSource.addEventListener knows the event of each type", () => {
  const source = new EventSource("http://localhost/");
  source.close();
  type _ = [
    Assert<Equal<EventSource["readyState"], 0 | 1 | 2>>,
    Assert<Equal<typeof EventSource.CLOSED, 2>>,
  ];
  source.addEventListener("open", (event) => {
    type _ = Assert<Equal<typeof event, Event>>;
  });
  source.addEventListener("message", function (event) {
    type _ = [
      Assert<Equal<typeof event, MessageEvent<string>>>,
      Assert<Equal<typeof this, EventSource>>,
    ];
  });
  source.addEventListener("error", (event) => {
    type _ = Assert<Equal<typeof event, EventSourceErrorEvent>>;
  }, { once: true });
  source.addEventListener("price", (event) => {
    type _ = Assert<Equal<typeof event, MessageEvent<string>>>;
  });
  const listener = { handleEvent(_: Event) {} };
  source.addEventListener("price", listener);
  source.removeEventListener("price", listener);
  source.onerror = (event) => {
    type _ = Assert<Equal<typeof event, EventSourceErrorEvent>>;
  };
  source.onmessage = ({ data }) => {
    type _ = Assert<Equal<typeof data, string>>;
  };
  source.onopen = null;
  // @ts-expect-error What is no listener.
  source.onmessage = 5;
  assertEquals([source.onopen, source.readyState], [null, EventSource.CLOSED]);
});
