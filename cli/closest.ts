/**
 * What somebody meant who has mistyped a name.
 *
 * @module
 */

/** The name that is nearest to what was typed, if it is near. */
export function closest(typed: string, names: readonly string[]): string | undefined {
  // Two letters changed places, or one slip in three letters; more is another word.
  const most = Math.max(2, Math.floor(typed.length / 3));
  const ranked = names.map((name) => ({ name, slips: distance(typed, name) }))
    .filter(({ slips }) => slips <= most)
    .sort((a, b) => a.slips - b.slips);
  return ranked[0]?.name;
}

/** How many letters have to be put in, left out or replaced (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
