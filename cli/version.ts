/**
 * The version of the package, for `sse --version`: that of deno.json, which is not in every package
 * that is made of it.
 *
 * @module
 */

/** The version. */
export const VERSION = "0.1.0";
