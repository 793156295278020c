/**
 * What the live page takes of the library: `deno task page` bundles it into `sse.js`.
 *
 * @module
 */

export { connect } from "../../client.ts";
export type { ConnectionState, EventStreamConnection } from "../../client.ts";
export { ResponseError } from "../../errors.ts";
export type { ServerSentEvent } from "../../parse.ts";
export { parseCursor } from "../../server/cursor.ts";
export { parseEventId } from "../../server/log.ts";
export { isPattern } from "../../server/patterns.ts";
