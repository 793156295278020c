/**
 * What the processes of the cluster test agree on.
 *
 * @module
 */

import type { PresenceOptions } from "../../server.ts";
import type { LogOptions } from "./logs.ts";

/** So few events are held that readers that are away for long miss some, and no others do. */
export const LOG: LogOptions = { maxEvents: 400, checkInterval: 1_000 };

/** A server that says nothing for `expiry` ms is forgotten, with its readers. */
export const PRESENCE: PresenceOptions = { interval: 300, expiry: 1_500 };
