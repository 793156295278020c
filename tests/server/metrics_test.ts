/** Metrics as OpenMetrics text 1.0, read back by a parser of its grammar and its rules. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type ChannelMetrics,
  type LabelledMetrics,
  OPEN_METRICS_TYPE,
  renderOpenMetrics,
} from "../../server/metrics.ts";
import { property } from "../helpers.ts";

// A parser as strict as the specification

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

interface Family {
  name: string;
  metadata: Map<string, string>;
  samples: Sample[];
}

// The productions of its ABNF, for what has neither timestamps nor exemplars.
const METRIC_NAME = "[A-Za-z_:][A-Za-z0-9_:]*";
const LABEL_NAME = "[A-Za-z_][A-Za-z0-9_]*";
const ESCAPED = '(?:[^\\n"\\\\]|\\\\[n"\\\\])*';
const LABEL = `${LABEL_NAME}="${ESCAPED}"`;
const NUMBER = "\\d+(?:\\.\\d*)?(?:e[+-]?\\d+)?";
const DESCRIPTOR = new RegExp(`^# (TYPE|UNIT|HELP) (${METRIC_NAME}) (${ESCAPED})$`, "u");
const SAMPLE = new RegExp(
  `^(${METRIC_NAME})(?:\\{((?:${LABEL}(?:,${LABEL})*)?)\\})? (${NUMBER})$`,
  "u",
);
const LABELS = new RegExp(`(${LABEL_NAME})="(${ESCAPED})"`, "gu");

const METADATA = ["TYPE", "UNIT", "HELP"];

/** Reads an exposition, and throws where the specification says "MUST", and in its preferred order. */
function parseOpenMetrics(text: string): Family[] {
  if (!text.isWellFormed()) throw new Error("no UTF-8");
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.pop() !== "# EOF") throw new Error("no EOF");
  const families: Family[] = [];
  for (const line of lines) {
    if (line.startsWith("#")) readDescriptor(line, families);
    else readSample(line, families);
  }
  const names = new Set<string>();
  for (const family of families) {
    checkFamily(family);
    // What the text format could name so must not clash either.
    const suffixes = family.metadata.get("TYPE") === "counter" ? ["_total", "_created", ""] : [""];
    for (const suffix of suffixes) {
      const name = family.name + suffix;
      if (names.has(name)) throw new Error(`clash: ${name}`);
      names.add(name);
    }
  }
  return families;
}

function readDescriptor(line: string, families: Family[]): void {
  const match = DESCRIPTOR.exec(line);
  if (match === null) throw new Error(`no descriptor: ${line}`);
  const [, key, name, value] = match;
  let family = families.at(-1);
  if (family?.name !== name) {
    family = { name, metadata: new Map(), samples: [] };
    families.push(family);
  }
  if (family.samples.length > 0) throw new Error(`metadata behind samples: ${line}`);
  const before = [...family.metadata.keys()].at(-1);
  if (before !== undefined && METADATA.indexOf(before) >= METADATA.indexOf(key)) {
    throw new Error(`metadata twice or out of order: ${line}`);
  }
  family.metadata.set(key, value);
}

function readSample(line: string, families: Family[]): void {
  const match = SAMPLE.exec(line);
  const family = families.at(-1);
  if (match === null || family === undefined) throw new Error(`no sample: ${line}`);
  const [, name, list = "", value] = match;
  const labels: Record<string, string> = {};
  for (const [, label, escaped] of list.matchAll(LABELS)) {
    if (label in labels) throw new Error(`label twice: ${line}`);
    if (label.startsWith("_")) throw new Error(`reserved label: ${line}`);
    labels[label] = escaped.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char);
  }
  family.samples.push({ name, labels, value: Number(value) });
}

function checkFamily({ name, metadata, samples }: Family): void {
  if (/^_|:/.test(name)) throw new Error(`reserved name: ${name}`);
  const type = metadata.get("TYPE") ?? "unknown";
  if (!["counter", "gauge"].includes(type)) throw new Error(`unexpected type: ${type}`);
  if (!metadata.get("HELP")) throw new Error(`no help: ${name}`);
  const unit = metadata.get("UNIT");
  if (unit !== undefined && !(/^\w+$/.test(unit) && name.endsWith(`_${unit}`))) {
    throw new Error(`the unit is no suffix: ${name}`);
  }
  const seen = new Set<string>();
  for (const sample of samples) {
    if (sample.name !== (type === "counter" ? `${name}_total` : name)) {
      throw new Error(`a sample of another family or without its suffix: ${sample.name}`);
    }
    const present = Object.entries(sample.labels).filter(([, value]) => value !== "");
    const labels = JSON.stringify(present.sort());
    if (seen.has(labels)) throw new Error(`labels twice: ${labels}`);
    seen.add(labels);
  }
}

const TYPE = "# TYPE a gauge\n";
const HELP = "# HELP a h\n";

for (
  const [what, text] of [
    ["without an end", `${TYPE}${HELP}a 1\n`],
    ["with an end that is no line", `${TYPE}${HELP}a 1\n# EOF`],
    ["that goes on behind its end", `${TYPE}${HELP}# EOF\na 1\n`],
    ["with an empty line", `${TYPE}${HELP}\na 1\n# EOF\n`],
    ["with CRLF", `${TYPE}${HELP}a 1\r\n# EOF\n`],
    ["with a comment", `${TYPE}${HELP}# b\na 1\n# EOF\n`],
    ["with a type twice", `${TYPE}${TYPE}${HELP}a 1\n# EOF\n`],
    ["with metadata out of order", `${HELP}${TYPE}a 1\n# EOF\n`],
    ["with metadata behind a sample", `${TYPE}a 1\n${HELP}# EOF\n`],
    [
      "with a family in two parts",
      `${TYPE}${HELP}# TYPE b gauge\n# HELP b h\n${TYPE}${HELP}# EOF\n`,
    ],
    ["with a counter without _total", "# TYPE a counter\n# HELP a h\na 1\n# EOF\n"],
    ["with a gauge with _total", `${TYPE}${HELP}a_total 1\n# EOF\n`],
    ["with a unit that is no suffix", `${TYPE}# UNIT a bytes\n${HELP}a 1\n# EOF\n`],
    [
      "with names that clash",
      `# TYPE a counter\n${HELP}# TYPE a_total gauge\n# HELP a_total h\n# EOF\n`,
    ],
    ["with a reserved name", "# TYPE _a gauge\n# HELP _a h\n# EOF\n"],
    ["with a reserved label", `${TYPE}${HELP}a{_b="c"} 1\n# EOF\n`],
    ["with a label that ends early", `${TYPE}${HELP}a{b="c"d"} 1\n# EOF\n`],
    ["with an unknown escape", `${TYPE}${HELP}a{b="\\d"} 1\n# EOF\n`],
    ["with a label twice", `${TYPE}${HELP}a{b="1",b="2"} 1\n# EOF\n`],
    ["with a comma too many", `${TYPE}${HELP}a{b="1",} 1\n# EOF\n`],
    ["with the same labels twice", `${TYPE}${HELP}a{b="1",c=""} 1\na{b="1"} 2\n# EOF\n`],
    ["with a value that is none", `${TYPE}${HELP}a undefined\n# EOF\n`],
    ["with a blank too many", `${TYPE}${HELP}a  1\n# EOF\n`],
    ["without a sample's family", "a 1\n# EOF\n"],
  ] as const
) {
  Deno.test(`the parser of the test refuses an exposition ${what}`, () => {
    assertThrows(() => parseOpenMetrics(text), Error);
  });
}

// The renderer

/** Each member has a number of its own. */
const METRICS: ChannelMetrics = {
  published: 1,
  delivered: 2,
  dropped: 3,
  queuedBytes: 4,
  sessions: 5,
  replayed: 6,
  bytes: 7,
  slow: 8,
};

Deno.test("renderOpenMetrics renders each member as a family", () => {
  const text = renderOpenMetrics(METRICS);
  const rows = parseOpenMetrics(text).map(({ name, metadata, samples }) => [
    name,
    metadata.get("TYPE"),
    metadata.get("UNIT"),
    samples.map(({ value }) => value),
  ]);
  assertEquals(rows, [
    ["sse_events_published", "counter", undefined, [1]],
    ["sse_events_delivered", "counter", undefined, [2]],
    ["sse_events_dropped", "counter", undefined, [3]],
    ["sse_events_replayed", "counter", undefined, [6]],
    ["sse_sent_bytes", "counter", "bytes", [7]],
    ["sse_queued_bytes", "gauge", "bytes", [4]],
    ["sse_sessions", "gauge", undefined, [5]],
    ["sse_slow_sessions", "counter", undefined, [8]],
  ]);
  assert(text.includes("\n# HELP sse_sessions Readers that are connected.\nsse_sessions 5\n"));
});

Deno.test("renderOpenMetrics renders several with their labels, each family once", () => {
  const families = parseOpenMetrics(renderOpenMetrics(
    new Set<LabelledMetrics>([
      { metrics: METRICS },
      { labels: { topic: "news", region: "eu" }, metrics: { ...METRICS, sessions: 50 } },
      { labels: { topic: "chat" }, metrics: { ...METRICS, sessions: 500 } },
    ]),
    { prefix: "my_app2" },
  ));
  assertEquals(families.length, 8);
  assertEquals(families.find(({ name }) => name === "my_app2_sessions")?.samples, [
    { name: "my_app2_sessions", labels: {}, value: 5 },
    { name: "my_app2_sessions", labels: { topic: "news", region: "eu" }, value: 50 },
    { name: "my_app2_sessions", labels: { topic: "chat" }, value: 500 },
  ]);
});

Deno.test("renderOpenMetrics renders families without samples when there is nothing to tell", () => {
  const families = parseOpenMetrics(renderOpenMetrics([]));
  assertEquals(families.map(({ samples }) => samples.length), Array(8).fill(0));
});

Deno.test("renderOpenMetrics escapes any value of a label", () => {
  const names = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,8}$/);
  const values = fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.string({ unit: fc.constantFrom(...'\\"\n\r\0n{},= #é😀'), maxLength: 12 }),
  );
  fc.assert(
    fc.property(fc.dictionary(names, values), (labels) => {
      const families = parseOpenMetrics(renderOpenMetrics([{ labels, metrics: METRICS }]));
      const present = Object.entries(labels).filter(([, value]) => value !== "").sort();
      for (const { samples } of families) {
        assertEquals(samples.length, 1);
        assertEquals(Object.entries(samples[0].labels).sort(), present);
      }
    }),
    property(),
  );
});

Deno.test("renderOpenMetrics renders any count that a number can be", () => {
  for (const bytes of [0, 1, 0.5, 1e-7, 2 ** 31, Number.MAX_SAFE_INTEGER, 1e21, Number.MAX_VALUE]) {
    const families = parseOpenMetrics(renderOpenMetrics({ ...METRICS, bytes }));
    assertEquals(families[4].samples[0].value, bytes);
  }
});

Deno.test("renderOpenMetrics refuses what is no count", () => {
  for (const sessions of [-1, NaN, Infinity, -Infinity]) {
    assertThrows(
      () => renderOpenMetrics({ ...METRICS, sessions }),
      RangeError,
      `"sessions" must be a finite number from 0 up: received ${sessions}`,
    );
  }
  const untyped: ChannelMetrics = JSON.parse('{"published": 1}');
  assertThrows(() => renderOpenMetrics(untyped), RangeError, '"delivered" must be');
});

Deno.test("renderOpenMetrics refuses a prefix that cannot begin a name", () => {
  for (const prefix of ["", "_sse", "1sse", "s-e", "s:e", "sse ", "é", "a\n", "a\nb"]) {
    assertThrows(
      () => renderOpenMetrics(METRICS, { prefix }),
      TypeError,
      `"prefix" must be letters, digits and "_", a letter first: received ${
        JSON.stringify(prefix)
      }`,
    );
  }
});

Deno.test("renderOpenMetrics refuses a prefix that is no string", () => {
  const prefix: string = JSON.parse("true");
  assertThrows(() => renderOpenMetrics(METRICS, { prefix }), TypeError, "received true");
});

Deno.test("renderOpenMetrics refuses a label that cannot be one", () => {
  for (const name of ["", "_a", "__name__", "1a", "a-b", "a:b", "a b", "é", 'a="', "a\n"]) {
    assertThrows(
      () => renderOpenMetrics([{ labels: { [name]: "b" }, metrics: METRICS }]),
      TypeError,
      `the name of a label must be letters, digits and "_", a letter first: received ${
        JSON.stringify(name)
      }`,
    );
  }
  const numbers: Record<string, string> = JSON.parse('{"a": 7}');
  for (const labels of [{ a: "\ud800" }, numbers]) {
    assertThrows(
      () => renderOpenMetrics([{ labels, metrics: METRICS }]),
      TypeError,
      'the label "a" must be a string without lone surrogates: received ',
    );
  }
});

Deno.test("renderOpenMetrics refuses the same labels twice, in any order", () => {
  const refused: Record<string, string>[][] = [
    [{}, {}],
    [{ a: "1", b: "2" }, { b: "2", a: "1" }],
    // An empty value is as if the label were not there.
    [{ a: "1", b: "" }, { a: "1" }],
  ];
  for (const several of refused) {
    const rows = several.map((labels) => ({ labels, metrics: METRICS }));
    assertThrows(() => renderOpenMetrics(rows), TypeError, "must differ in their labels");
  }
});

Deno.test("OPEN_METRICS_TYPE is the content type of version 1.0.0", () => {
  const headers = new Headers({ "content-type": OPEN_METRICS_TYPE });
  assertEquals(
    headers.get("content-type"),
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
  );
});
