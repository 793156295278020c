/**
 * What a hostile or careless server may put into an event stream.
 *
 * @module
 */

/**
 * IDs that an event stream can carry and a header might not: a name to find each by, and the ID. The
 * event stream keeps all of each (one space after the colon apart, so write `id: ${id}`).
 */
export const POISONED_IDS: readonly (readonly [name: string, id: string])[] = [
  ["U+0001", "a\x01b"],
  ["a tab", "a\tb"],
  ["a vertical tab and a form feed", "a\x0b\x0cb"],
  ["an escape", "\x1b[31m"],
  ["U+001F", "a\x1fb"],
  ["U+007F", "a\x7fb"],
  ["a space before", " a"],
  ["a space after", "a "],
  ["tabs around", "\ta\t"],
  ["one space", " "],
  ["a C1 control", "a\x85b"],
  ["Latin-1", "é"],
  ["CJK", "日本"],
  ["an emoji", "😀"],
  ["a line separator", "a\u2028b"],
  ["a byte order mark", "\ufeffa"],
  ["a replacement character", "\ufffd"],
  ["a header after it", "a: b; c, d\u010d\u010aX: 1"],
  ["percent signs and quotes", '%0D%0A"\\'],
  ["64 KiB", "x".repeat(65_536)],
];

/** Values of `retry`, from plausible to absurd, valid or not. */
export const HOSTILE_RETRIES: readonly string[] = [
  "0",
  "1",
  "007",
  "2147483647",
  "2147483648",
  "4294967296",
  "9007199254740991",
  "9007199254740993",
  "9".repeat(400),
  "",
  " ",
  "-1",
  "+1",
  "1.5",
  "1e3",
  "0x10",
  "1 ",
  "1_000",
  "NaN",
  "Infinity",
  "٣",
  "１",
];

/**
 * One line of data that is as long as it says, in pieces of 64 KiB, so that nobody holds it.
 *
 * @param length Bytes in all, with `data: `; without it there is no end, and no line end.
 */
export function* endless(length = Infinity): Generator<Uint8Array> {
  const piece = new Uint8Array(65_536).fill(0x78);
  const first = piece.slice();
  first.set([0x64, 0x61, 0x74, 0x61, 0x3a, 0x20]);
  for (let left = length; left > 0; left -= piece.length) {
    const next = left === length ? first : piece;
    yield next.subarray(0, Math.min(left, piece.length));
  }
}
