/**
 * The decompression of a body, each byte of it as early as it can be.
 *
 * @module
 */

import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

/** What a request says that it takes. */
export const ACCEPTED = "gzip, br";

/**
 * What undoes a content encoding: `"identity"` if there is none, `undefined` if it is one that nobody
 * asked for. A body that breaks off is no error, but what came of it.
 */
export function decoderOf(encoding: string): Transform | "identity" | undefined {
  const zlib = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
  switch (encoding) {
    case "":
    case "identity":
      return "identity";
    case "gzip":
    case "x-gzip":
      return createGunzip(zlib);
    case "deflate":
      return createInflate(zlib);
    case "br":
      return createBrotliDecompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        finishFlush: constants.BROTLI_OPERATION_FLUSH,
      });
    default:
      return undefined;
  }
}

/** The content encoding of an answer, in lower case; `""` if it has none. */
export function encodingOf(headers: Headers): string {
  return (headers.get("content-encoding") ?? "").trim().toLowerCase();
}
