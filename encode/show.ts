/**
 * A value as messages tell of it.
 *
 * @module
 */

/** Quotes text, bounded; says of any other value what it is. Never throws. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  }
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}
