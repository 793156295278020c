/**
 * An event log that was opened for the command line, and what all kinds can be told.
 *
 * @module
 */

import type { EventLog } from "../../server.ts";

/** What all logs can be told. */
export interface OpenLogOptions {
  /** How many events of a topic are held, from 1 up. Default: that of the log. */
  maxEvents?: number;
  /** Ends the attempt to reach an engine. Default: none. */
  signal?: AbortSignal;
  /**
   * Told when an engine is lost that was there. Default: nobody is told.
   *
   * @param message What its client said.
   */
  onLost?(message: string): void;
}

/** A log, with what it needs. */
export interface OpenedLog {
  /** The log. */
  readonly log: EventLog;
  /** How it is told of: no password is in it. */
  readonly name: string;
  /** Closes the log, and the client that was made for it. */
  close(): Promise<void>;
}
