/**
 * What the processes of the cluster test agree on.
 *
 * @module
 */

import type { LogOptions } from "./logs.ts";

/** So few events are held that readers that are away for long miss some, and no others do. */
export const LOG: LogOptions = { maxEvents: 400, checkInterval: 1_000 };
