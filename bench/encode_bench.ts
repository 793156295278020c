/** Quick looks while working on the encoder; `deno task bench:compare` has the figures. */

import { CORPORA, makeCorpus } from "./corpora.ts";
import { encoders } from "./peers.ts";

for (const { name: group, events } of CORPORA.map((name) => makeCorpus(name))) {
  const inits = events.map(({ data, event }) => ({ data, event }));
  for (const name of ["ours", "eventsource-encoder"] as const) {
    let bytes = 0;
    Deno.bench({
      name,
      group,
      baseline: name === "ours",
      fn: () => {
        for (const init of inits) bytes += encoders[name](init).length;
      },
    });
  }
}
