/**
 * All that is looked at, in the order of the report.
 *
 * @module
 */

import { hasLeft } from "./ask.ts";
import { judgeBuffering } from "./buffering.ts";
import { judgeCaching } from "./caching.ts";
import { judgeCompression } from "./compression.ts";
import { judgeContentType } from "./content_type.ts";
import { judgeCors } from "./cors.ts";
import { judgeEnding } from "./ending.ts";
import { judgeEvents } from "./events.ts";
import { judgeFields } from "./fields.ts";
import type { Finding } from "./finding.ts";
import { judgeIds } from "./ids.ts";
import { judgeKeepAlive } from "./keep_alive.ts";
import { judgeLines } from "./lines.ts";
import type { Heard } from "./listen.ts";
import { judgeConnection, judgeFraming, judgeVersion } from "./protocol.ts";
import { judgeRetry } from "./retry.ts";
import { judgeRedirects, judgeStatus } from "./status.ts";

/** What is known besides what was heard. */
export interface Circumstances {
  /** What was heard without compression, if that was tried. */
  readonly plain?: Heard;
  /** Whether the server offers HTTP/2, if that is known. */
  readonly http2?: boolean;
  /** The origin that was sent. */
  readonly origin?: string;
}

/** Judges the head of an answer that is no event stream. `body` is what it starts with. */
export function judgeRefusal({ head, transcript }: Heard, origin: string | undefined): Finding[] {
  const status = judgeStatus(head);
  const findings = [...judgeRedirects(head.hops), status];
  if (status.level === "ok") findings.push(judgeContentType(head.headers, transcript));
  if (origin !== undefined && !hasLeft(head)) findings.push(judgeCors(head.headers, origin));
  return findings;
}

/** Judges an event stream, all but its resuming. */
export function judgeStream(heard: Heard, { plain, http2, origin }: Circumstances): Finding[] {
  const { head, transcript } = heard;
  const { headers } = head;
  const ending = judgeEnding(heard);
  const compression = judgeCompression(heard, plain);
  // What a compressor holds is no other buffer's.
  const buffering = judgeBuffering(heard).filter(({ check }) =>
    compression.level !== "error" || check !== "buffering"
  );
  return [
    ...judgeRedirects(head.hops),
    judgeStatus(head),
    judgeContentType(headers),
    ...buffering,
    compression,
    ...judgeCaching(headers),
    ...judgeVersion(head, http2),
    judgeFraming(head),
    ...judgeConnection(head),
    judgeKeepAlive(heard),
    ...judgeFields(transcript),
    ...judgeLines(transcript),
    ...judgeIds(heard),
    judgeRetry(transcript),
    ...judgeEvents(transcript),
    ...(ending === undefined ? [] : [ending]),
    judgeCors(headers, hasLeft(head) ? undefined : origin),
  ];
}
