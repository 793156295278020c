/**
 * What a server, or a proxy before it, answers that will be back.
 *
 * @module
 */

/** The statuses after which it is worth to ask again. */
export const PASSING: readonly number[] = [429, 502, 503, 504];
