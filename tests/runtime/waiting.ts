/**
 * Waits that end, on Web APIs alone.
 *
 * @module
 */

/**
 * Waits for a fact, but not forever.
 *
 * @param fact What is waited for.
 * @param ms The bound.
 * @param sentence What to say when the bound is reached.
 * @throws {Error} If the bound is reached first.
 */
export async function within<T>(fact: Promise<T>, ms: number, sentence: () => string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(sentence())), ms);
  });
  try {
    return await Promise.race([fact, late]);
  } finally {
    clearTimeout(timer);
  }
}
