/**
 * What a page or a Worker tells the program that has started it.
 *
 * @module
 */

import type { Report } from "./harness.ts";

/** A report, something that nobody handled, or the end. */
export type PageReport =
  | Report
  | { readonly kind: "problem"; readonly problem: string }
  | { readonly kind: "end" };
