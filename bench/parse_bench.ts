/** Quick looks while working on the parser; `deno task bench:compare` has the figures. */

import { CORPORA, cut, makeCorpus } from "./corpora.ts";
import { parsers } from "./peers.ts";

for (const corpus of CORPORA.map((name) => makeCorpus(name))) {
  const chunks = cut(corpus, 16_384);
  for (const name of ["ours", "eventsource-parser", "limit"] as const) {
    let units = 0;
    Deno.bench({
      name,
      group: `${corpus.name}, 16 KB chunks`,
      baseline: name === "ours",
      fn: () => parsers[name](chunks, (event) => units += event.data.length, corpus),
    });
  }
}
