// Generated from sse_entry.ts by "deno task page": change the library, not this file.
// deno-lint-ignore-file
// deno-fmt-ignore-file
// deno-coverage-ignore-file
// @ts-nocheck The types are those of the sources.
// @ts-self-types="./sse_entry.ts"
// ../../errors.ts
var SseError = class extends Error {
  /** The class name, also where a bundler has renamed the class. */
  name = "SseError";
  /** What happened, as a stable string to compare with. */
  code;
  /**
   * Makes an error with its code.
   *
   * @param code The stable code.
   * @param message The sentence for people.
   * @param options Takes the `cause`.
   */
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
};
var ResponseError = class extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  name = "ResponseError";
  /** The status of the response, such as 404. */
  status;
  /** The headers of the response. */
  headers;
  /** The start of the body as text, at most 4,096 bytes of it. */
  body;
  /**
   * Makes an error that tells of the response.
   *
   * @param code `ERR_SSE_STATUS` or `ERR_SSE_CONTENT_TYPE`.
   * @param message The sentence for people.
   * @param init Status, headers and the start of the body.
   */
  constructor(code, message, init) {
    super(code, message);
    this.status = init.status;
    this.headers = init.headers;
    this.body = init.body;
  }
};
var EventTooLargeError = class extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  name = "EventTooLargeError";
  /** The bound that was passed, in UTF-16 code units. */
  limit;
  /**
   * Makes an error for a bound.
   *
   * @param limit The bound that was passed, in UTF-16 code units.
   */
  constructor(limit) {
    super(
      "ERR_SSE_EVENT_TOO_LARGE",
      `Cannot hold event: it is larger than ${limit} UTF-16 code units, raise "maxEventSize" if it is meant to be`
    );
    this.limit = limit;
  }
};
var ParseError = class extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  name = "ParseError";
  /** The line at fault, without its line end. */
  line;
  /**
   * Makes an error for a line.
   *
   * @param message The sentence for people.
   * @param line The line at fault, without its line end.
   */
  constructor(message, line) {
    super("ERR_SSE_PARSE", message);
    this.line = line;
  }
};
var InvalidDataError = class extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  name = "InvalidDataError";
  /** The event at fault, as it came. */
  event;
  /** What the schema said, most often in the order of the value; empty when the data is no JSON. */
  issues;
  /**
   * Makes an error for an event.
   *
   * @param event The event at fault, as it came.
   * @param issues What the schema said.
   * @param options Takes the `cause`: the `SyntaxError` of `JSON.parse` when the data is no JSON.
   */
  constructor(event, issues = [], options) {
    const id = event.id && ` with id ${quote(event.id)}`;
    const which = `event ${quote(event.event)}${id}`;
    const cause = options?.cause;
    super(
      "ERR_SSE_INVALID_DATA",
      cause instanceof Error ? `Cannot parse data as JSON: ${which} has data ${quote(event.data)}: ${plain(cause.message)}` : `Cannot accept data: ${which}: ${summary(issues)}`,
      options
    );
    this.event = event;
    this.issues = issues;
  }
};
function summary([first, ...others]) {
  if (first === void 0) return "the schema gave no reason";
  const keys = first.path?.map((part) => String(typeof part === "object" ? part.key : part));
  const where = keys?.length ? `${quote(keys.join("."))} ` : "";
  const more = others.length ? ` (and ${others.length} more)` : "";
  return `${where}${plain(first.message)}${more}`;
}
function quote(text) {
  return JSON.stringify(start(text, 40));
}
function plain(text) {
  return start(text, 200).replace(/[\s\p{Cc}]+/gu, " ");
}
function start(text, length) {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
var TruncatedError = class extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  name = "TruncatedError";
  /**
   * Makes an error for a body that was cut.
   *
   * @param message The sentence for people.
   * @param options Takes the `cause`.
   */
  constructor(message, options) {
    super("ERR_SSE_TRUNCATED", message, options);
  }
};
var TimeoutError = class extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  name = "TimeoutError";
  /** What was waited for. */
  phase;
  /**
   * Makes an error for a time that is up.
   *
   * @param phase What was waited for.
   * @param ms How long, in milliseconds.
   */
  constructor(phase, ms) {
    super("ERR_SSE_TIMEOUT", `Cannot wait any longer: ${AWAITED[phase]} within ${ms} ms`);
    this.phase = phase;
  }
};
var AWAITED = {
  "connect": "the server sent no headers",
  "first-event": "the response brought no event",
  "idle": "the server sent nothing"
};
var RetriesExhaustedError = class extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  name = "RetriesExhaustedError";
  /** How many attempts were made in a row. */
  attempts;
  /**
   * Makes an error that counts the attempts.
   *
   * @param attempts How many attempts were made in a row.
   * @param options Takes the `cause`.
   */
  constructor(attempts, options) {
    super(
      "ERR_SSE_RETRIES_EXHAUSTED",
      `Cannot stay connected: ${attempts} attempts in a row were lost, raise "maxAttempts" to try longer`,
      options
    );
    this.attempts = attempts;
  }
};
var RedirectError = class extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  name = "RedirectError";
  /** The URL that redirected. */
  from;
  /** Where it redirected to, as the server said it; `""` where the platform hides it. */
  to;
  /**
   * Makes an error for a redirect.
   *
   * @param message The sentence for people.
   * @param from The URL that redirected.
   * @param to Where it redirected to.
   */
  constructor(message, from, to) {
    super("ERR_SSE_REDIRECT", message);
    this.from = from;
    this.to = to;
  }
};

// ../../parse/events.ts
var DEFAULT_MAX_EVENT_SIZE = 67108864;
function maxEventSizeOf(options) {
  const { maxEventSize = DEFAULT_MAX_EVENT_SIZE } = options;
  if (typeof maxEventSize !== "number" || !(maxEventSize >= 0)) {
    throw new RangeError(
      `Cannot bound events: "maxEventSize" must be a number from 0 up: received ${maxEventSize}`
    );
  }
  return maxEventSize;
}

// ../../parse/text_buffer.ts
var SEGMENT_LENGTH = 65536;
var TextBuffer = class {
  #segments = [];
  #tail = "";
  #largePiece;
  /** What is held, in UTF-16 code units. */
  length = 0;
  /**
   * @param largePiece A piece of this length is kept as it is: flattening it once more costs a copy,
   * but what it was sliced from stays alive.
   */
  constructor(largePiece) {
    this.#largePiece = largePiece;
  }
  append(piece) {
    this.length += piece.length;
    this.#tail += piece;
    if (piece.length >= this.#largePiece || this.#tail.length >= SEGMENT_LENGTH) {
      this.#endSegment(piece.length);
    }
  }
  #endSegment(lastLength) {
    if (this.#tail.length > lastLength) this.#tail.charCodeAt(0);
    this.#segments.push(this.#tail);
    this.#tail = "";
  }
  /** Empties the buffer: all that was held, followed by `last`. */
  take(last = "") {
    if (this.length === 0) return last;
    let text = this.#tail + last;
    if (this.#segments.length > 0) {
      if (text !== "") this.#segments.push(text);
      text = this.#segments.join("");
      this.#segments = [];
    }
    this.#tail = "";
    this.length = 0;
    return text;
  }
};

// ../../parse/assembler.ts
var FIELDS = ["data:", "event:", "id:", "retry:"];
var HEAD_LENGTH = 6;
var LARGE_PIECE = 256;
var LARGE_VALUE = 4096;
var LF = 10;
var CR = 13;
var SPACE = 32;
var COLON = 58;
var LETTER_D = 100;
var LETTER_E = 101;
var EventAssembler = class {
  /** Where the events go: up to `count` it is filled, past it there may be room. */
  events = [];
  count = 0;
  /** The last event ID, as of the last blank line. */
  lastEventId;
  /** The reconnection time in ms, once the stream has named one. */
  retry;
  #options;
  #comments;
  #maxEventSize;
  /** How long the current line may get, in UTF-16 code units. */
  #room;
  #unfinished = new TextBuffer(LARGE_PIECE);
  /** Inside an unfinished line that nobody needs: nothing of it is held. */
  #skipping = false;
  /** The last text ended with a CR: if an LF comes first it belongs to that line end. */
  #afterCr = false;
  // The block: what came since the last blank line. `#open` says that a field came, so that a block
  // of one `data` line, the commonest by far, touches none of the others.
  #open = false;
  #type;
  // As the standard appends it: each value with its LF, one of which goes at dispatch (T10).
  #data = new TextBuffer(LARGE_VALUE);
  #id;
  #retry;
  /** @param from With which last event ID to begin: that of the body before, if there was one. */
  constructor(options, from = options) {
    this.#room = this.#maxEventSize = maxEventSizeOf(options);
    const { lastEventId = "" } = from;
    if (typeof lastEventId !== "string" || lastEventId.includes("\0")) {
      throw new TypeError(
        `Cannot start from event: "lastEventId" must be a string without NUL: received ${JSON.stringify(lastEventId)}`
      );
    }
    this.#options = options;
    this.#comments = options.onComment !== void 0;
    this.lastEventId = lastEventId;
  }
  /** A line has not ended, or a field came since the last blank line. */
  get incomplete() {
    return this.#open || this.#skipping || this.held > 0;
  }
  get held() {
    return this.#unfinished.length;
  }
  get spare() {
    return this.#skipping ? Infinity : this.#room - this.held;
  }
  write(text, heads) {
    let pos = 0;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (text.charCodeAt(0) === LF) pos = 1;
    }
    if (this.#skipping || this.held > 0) {
      const end = lineEnd(text, pos);
      if (end === -1) {
        if (!this.#skipping) this.#hold(text.slice(pos));
        return;
      }
      if (this.#skipping) this.#skipping = false;
      else {
        const line = this.#unfinished.take(text.slice(pos, end + 1));
        this.#textLine(line, 0, line.length - 1, line.length);
      }
      pos = text.charCodeAt(end) === CR && text.charCodeAt(end + 1) === LF ? end + 2 : end + 1;
    }
    pos = this.#readLines(text, heads, pos);
    if (pos < text.length) this.#hold(text.slice(pos));
    else this.#afterCr = text.charCodeAt(text.length - 1) === CR;
  }
  /** Holds what came of a line, unless nobody needs the line. */
  #hold(piece) {
    if (this.held < HEAD_LENGTH) {
      piece = this.#unfinished.take(piece);
      if (!this.#needs(piece)) {
        this.#skipping = true;
        return;
      }
    }
    this.#unfinished.append(piece);
    if (this.held >= HEAD_LENGTH && this.held > this.#room) this.#overflow();
  }
  /** Throws: the current line has no room. */
  #overflow() {
    throw new EventTooLargeError(this.#maxEventSize);
  }
  /**
   * Takes all finished lines from `pos` on, and returns where the unfinished one starts:
   * `text.length` if there is none.
   *
   * One loop over lines and fields, with nothing of the commonest lines left to a call: cutting lines
   * here and handing each to a method of another class was slower for every stream of the bench.
   */
  #readLines(text, heads, pos) {
    const length = text.length;
    let lf = -1;
    let cr = -1;
    let lines = "";
    while (pos < length) {
      const head = heads === void 0 ? text.charCodeAt(pos) : heads[pos];
      if (head === LF) {
        if (this.#open) this.#blankLine();
        pos++;
        continue;
      }
      if (head === CR) {
        if (this.#open) this.#blankLine();
        pos += text.charCodeAt(pos + 1) === LF ? 2 : 1;
        continue;
      }
      if (lf < pos) lf = indexOf(text, "\n", pos);
      if (cr < pos) cr = indexOf(text, "\r", pos);
      let end = lf;
      let next = lf + 1;
      if (cr < lf) {
        end = cr;
        next = lf === cr + 1 ? lf + 1 : cr + 1;
      } else if (lf === length) {
        break;
      }
      if (heads !== void 0 && isData(heads, pos)) {
        if (end - pos > this.#room - lines.length) this.#overflow();
        const from = heads[pos + 5] === SPACE ? pos + 6 : pos + 5;
        const after = next === length ? 0 : heads[next];
        if (after !== LF && after !== CR) {
          lines += end === lf ? text.slice(from, next) : `${text.slice(from, end)}
`;
          pos = next;
          continue;
        }
        let data = text.slice(from, end);
        if (lines !== "") {
          data = lines + data;
          lines = "";
        }
        if (this.#open) this.#dispatch(this.#data.take(data));
        else this.events[this.count++] = { event: "message", data, id: this.lastEventId };
        pos = after === LF ? next + 1 : next;
        continue;
      }
      if (lines !== "") {
        this.#append(lines);
        lines = "";
      }
      if (heads === void 0) {
        pos = this.#textLine(text, pos, end, next);
        continue;
      }
      if (isEvent(heads, pos)) {
        this.#eventLine(text, pos, heads[pos + 6] === SPACE ? pos + 7 : pos + 6, end);
      } else if (head !== COLON) {
        this.#fieldLine(text.slice(pos, end));
      } else if (this.#comments) {
        this.#commentLine(text.slice(pos, end));
      }
      pos = next;
    }
    if (lines !== "") this.#append(lines);
    return pos;
  }
  /** Any line, where only its text is there. Returns where to go on. */
  #textLine(text, start2, end, next) {
    if (text.startsWith("data:", start2)) {
      if (end - start2 > this.#room) this.#overflow();
      const from = text.charCodeAt(start2 + 5) === SPACE ? start2 + 6 : start2 + 5;
      const after = next === text.length ? 0 : text.charCodeAt(next);
      if (after !== LF && after !== CR) {
        this.#append(
          text.charCodeAt(end) === LF ? text.slice(from, end + 1) : `${text.slice(from, end)}
`
        );
        return next;
      }
      this.#dispatch(this.#data.take(text.slice(from, end)));
      return after === LF ? next + 1 : next;
    }
    if (text.startsWith("event:", start2)) {
      this.#eventLine(
        text,
        start2,
        text.charCodeAt(start2 + 6) === SPACE ? start2 + 7 : start2 + 6,
        end
      );
    } else if (text.charCodeAt(start2) !== COLON) {
      this.#fieldLine(text.slice(start2, end));
    } else if (this.#comments) {
      this.#commentLine(text.slice(start2, end));
    }
    return next;
  }
  /** Data that goes on: a value with its LF. */
  #append(value) {
    this.#open = true;
    this.#room -= value.length;
    this.#data.append(value);
  }
  /** A line that starts with `event:`. */
  #eventLine(text, start2, from, end) {
    if (end - start2 > this.#room) this.#overflow();
    this.#setType(text.slice(from, end));
  }
  /** Whether an unfinished line that starts like this has to be held. */
  #needs(head) {
    if (head.charCodeAt(0) === COLON) return this.#comments;
    return this.#options.strict === true || FIELDS.some((field) => head.startsWith(field) || field.startsWith(head));
  }
  #blankLine() {
    if (this.#data.length > 0) this.#dispatch(this.#data.take().slice(0, -1));
    else this.#close();
  }
  #commentLine(line) {
    if (line.length > this.#room) this.#overflow();
    this.#options.onComment?.(line.slice(line.charCodeAt(1) === SPACE ? 2 : 1));
  }
  /** `id`, `retry`, a field without a colon, or nothing that the standard knows. */
  #fieldLine(line) {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1);
    if (name !== "id" && name !== "retry" && name !== "data" && name !== "event") {
      const reason = `unknown field ${quote2(name)}, the fields are data, event, id and retry`;
      return this.#ignore(line, reason);
    }
    if (line.length > this.#room) this.#overflow();
    if (name === "id") this.#setId(value, line);
    else if (name === "retry") this.#setRetry(value, line);
    else if (name === "event") this.#setType(value);
    else this.#append(`${value}
`);
  }
  #setType(value) {
    this.#room += (this.#type?.length ?? 0) - value.length;
    this.#type = value === "" ? void 0 : value;
    this.#open = true;
  }
  #setId(value, line) {
    if (value.includes("\0")) return this.#ignore(line, '"id" with NUL');
    this.#room += (this.#id?.length ?? 0) - value.length;
    this.#id = value;
    this.#open = true;
  }
  #setRetry(value, line) {
    if (!/^[0-9]+$/.test(value)) {
      return this.#ignore(line, `"retry" must be ASCII digits: received ${quote2(value)}`);
    }
    this.#retry = this.retry = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    this.#open = true;
    this.#options.onRetry?.(this.retry);
  }
  #ignore(line, reason) {
    if (this.#options.strict !== true) return;
    if (line.length > this.#room) this.#overflow();
    throw new ParseError(`Cannot parse event stream: ${reason}`, line);
  }
  #dispatch(data) {
    const event = this.#type ?? "message";
    const retry = this.#retry;
    this.#close();
    this.events[this.count++] = retry === void 0 ? { event, data, id: this.lastEventId } : { event, data, id: this.lastEventId, retry };
  }
  /** The end of a block: the id is committed, also without data (T11, T14), and the rest is cleared. */
  #close() {
    const id = this.#id;
    this.#open = false;
    this.#type = void 0;
    this.#id = void 0;
    this.#retry = void 0;
    this.#room = this.#maxEventSize;
    if (id !== void 0) {
      this.lastEventId = id;
      this.#options.onId?.(id);
    }
  }
};
function lineEnd(text, pos) {
  const lf = text.indexOf("\n", pos);
  const cr = text.slice(0, lf === -1 ? text.length : lf).indexOf("\r", pos);
  return cr === -1 ? lf : cr;
}
function isData(bytes, at) {
  return bytes[at] === LETTER_D && bytes[at + 1] === 97 && bytes[at + 2] === 116 && bytes[at + 3] === 97 && bytes[at + 4] === COLON;
}
function indexOf(text, lineEnd2, from) {
  const index = text.indexOf(lineEnd2, from);
  return index === -1 ? text.length : index;
}
function isEvent(bytes, at) {
  return bytes[at] === LETTER_E && bytes[at + 1] === 118 && bytes[at + 2] === 101 && bytes[at + 3] === 110 && bytes[at + 4] === 116 && bytes[at + 5] === COLON;
}
function quote2(text) {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

// ../../parse/decode.ts
var SMALL_CHUNK = 256;
var FEW = 32;
var MAX_HELD = 4096;
var PIECE = 16384;
var MAX_PIECE = 65536;
var CUT_WINDOW = 256;
var LF2 = 10;
var CR2 = 13;
var BOM = 65279;
var ChunkDecoder = class {
  #sink;
  // T3: with `{ stream: true }` Deno loses U+FEFF in mid-stream, and it costs more per call than
  // holding back the few bytes of a cut character. `ignoreBOM` leaves the BOM to us.
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #held = new Uint8Array(SMALL_CHUNK);
  #heldLength = 0;
  #atStart = true;
  constructor(sink) {
    this.#sink = sink;
  }
  /** Bytes wait for the rest of their character or line. */
  get incomplete() {
    return this.#heldLength > 0;
  }
  write(chunk) {
    if (typeof chunk === "string") {
      this.#flush(this.#heldLength);
      if (chunk !== "") this.#emit(chunk, void 0);
      return;
    }
    if (!(chunk instanceof Uint8Array) && chunk?.[Symbol.toStringTag] !== "Uint8Array") {
      throw new TypeError(
        `Cannot parse chunk: it must be a Uint8Array or a string: received ${typeof chunk}`
      );
    }
    let at = 0;
    if (chunk.length <= SMALL_CHUNK && !endsLine(chunk)) {
      this.#hold(chunk, 0, chunk.length);
      if (this.#mayWait()) return;
      this.#flush(wholeEnd(this.#held, 0, this.#heldLength));
      return;
    }
    if (this.#heldLength > 0) {
      at = wholeEnd(chunk, 0, Math.min(chunk.length, MAX_HELD));
      this.#hold(chunk, 0, at);
      this.#flush(this.#heldLength);
    }
    while (at < chunk.length) {
      const length = Math.min(Math.max(PIECE, this.#sink.held), MAX_PIECE);
      const end = pieceEnd(chunk, at, length);
      if (end === at) {
        this.#hold(chunk, at, chunk.length);
        return;
      }
      this.#decode(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
      at = end;
    }
  }
  /** Not at the start, where a BOM may stand alone (T2), and not past a bound. */
  #mayWait() {
    return !this.#atStart && this.#heldLength <= MAX_HELD && this.#heldLength <= this.#sink.spare;
  }
  /** Appends `chunk[start, end)` to the bytes that wait. */
  #hold(chunk, start2, end) {
    const length = this.#heldLength + end - start2;
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#held.length));
      grown.set(this.#held.subarray(0, this.#heldLength));
      this.#held = grown;
    }
    if (length - this.#heldLength <= FEW) {
      for (let i = start2; i < end; i++) this.#held[this.#heldLength++] = chunk[i];
    } else {
      this.#held.set(
        end - start2 === chunk.length ? chunk : chunk.subarray(start2, end),
        this.#heldLength
      );
      this.#heldLength = length;
    }
  }
  /** Decodes the first `end` of the bytes that wait and keeps the others. */
  #flush(end) {
    if (end === 0) return;
    this.#decode(this.#held.subarray(0, end));
    if (end < this.#heldLength) this.#held.copyWithin(0, end, this.#heldLength);
    this.#heldLength -= end;
  }
  #decode(bytes) {
    const text = bytes.length === 1 && bytes[0] < 128 ? String.fromCharCode(bytes[0]) : this.#decoder.decode(bytes);
    this.#emit(text, text.length === bytes.length ? bytes : void 0);
  }
  #emit(text, heads) {
    if (this.#atStart) {
      this.#atStart = false;
      if (text.charCodeAt(0) === BOM) {
        if (text.length > 1) this.#sink.write(text.slice(1), void 0);
        return;
      }
    }
    this.#sink.write(text, heads);
  }
};
function endsLine(bytes) {
  for (let i = bytes.length - 1; i >= 0; i--) {
    if (bytes[i] === LF2 || bytes[i] === CR2) return true;
  }
  return false;
}
function pieceEnd(bytes, at, length) {
  const end = at + length;
  if (end >= bytes.length) return wholeEnd(bytes, at, bytes.length);
  for (let i = end; i > end - CUT_WINDOW; i--) {
    if (bytes[i - 1] === LF2 || bytes[i - 1] === CR2) return i;
  }
  return wholeEnd(bytes, at, end);
}
function wholeEnd(bytes, start2, end) {
  for (let i = end - 1; i >= start2 && i >= end - 3; i--) {
    const byte = bytes[i];
    if (byte < 128) return end;
    if (byte >= 192) {
      const length = byte >= 240 ? 4 : byte >= 224 ? 3 : 2;
      return i + length > end ? i : end;
    }
  }
  return end;
}

// ../../parse/parser.ts
var MANY = 64;
var MAX_EXPECTED = 16384;
var eventsSoFar;
var ServerSentEventParser = class {
  static {
    eventsSoFar = (parser) => parser.#assembler.count;
  }
  #options;
  #assembler;
  #decoder;
  #expected = 0;
  #failure;
  /**
   * Makes a parser at the start of a stream.
   *
   * @param options Bounds, the id to start with, and callbacks.
   * @throws {RangeError} If `maxEventSize` is not a number from 0 up.
   * @throws {TypeError} If `lastEventId` is not a string or holds NUL.
   */
  constructor(options = {}) {
    this.#options = options;
    this.#assembler = new EventAssembler(options);
    this.#decoder = new ChunkDecoder(this.#assembler);
  }
  /**
   * Parses the next chunk, cut anywhere.
   *
   * After an error, be it ours or one that a callback threw, the parser takes no more: each call
   * throws that error again, until {@linkcode ServerSentEventParser.reset}.
   *
   * @param chunk The next bytes (UTF-8, T1) or text of the stream.
   * @param events The array to append to. Yours holds also what a chunk completed before its fault.
   * @returns The events that this chunk completed, in `events`.
   * @throws {EventTooLargeError} If the unfinished event holds more than `maxEventSize`.
   * @throws {ParseError} If `strict` is set and a line is one that the standard ignores.
   * @throws {TypeError} If the chunk is neither bytes nor text.
   *
   * @example Bytes, cut inside a character
   * ```ts
   * import { ServerSentEventParser } from "@webstreams/sse/parse";
   * import { assertEquals } from "@std/assert";
   *
   * const bytes = new TextEncoder().encode("data: né\n\n");
   * const parser = new ServerSentEventParser();
   * assertEquals(parser.feed(bytes.subarray(0, 8)), []);
   * assertEquals(parser.feed(bytes.subarray(8))[0].data, "né");
   * ```
   */
  feed(chunk, events) {
    if (this.#failure !== void 0) throw this.#failure.error;
    const assembler = this.#assembler;
    assembler.events = events ??= [];
    const first = assembler.count = events.length;
    if (this.#expected > 0) events.length = first + this.#expected;
    try {
      this.#decoder.write(chunk);
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      if (events.length > assembler.count) events.length = assembler.count;
    }
    const count = assembler.count - first;
    this.#expected = count < MANY ? 0 : Math.min(count + 16, MAX_EXPECTED);
    return events;
  }
  /**
   * Makes ready for the body of the next connection: the unfinished line and block are dropped
   * (T14, T18), a BOM is removed again. The last event ID and the reconnection time stay (T16).
   *
   * @example The id outlives the connection
   * ```ts
   * import { ServerSentEventParser } from "@webstreams/sse/parse";
   * import { assertEquals } from "@std/assert";
   *
   * const parser = new ServerSentEventParser();
   * parser.feed("id: 7\ndata: a\n\ndata: cut");
   * parser.reset();
   * assertEquals(parser.feed("data: b\n\n"), [{ event: "message", data: "b", id: "7" }]);
   * ```
   */
  reset() {
    const before = this.#assembler;
    this.#assembler = new EventAssembler(this.#options, before);
    this.#assembler.retry = before.retry;
    this.#decoder = new ChunkDecoder(this.#assembler);
    this.#failure = void 0;
  }
  /** The last event ID, as of the last blank line (T14). */
  get lastEventId() {
    return this.#assembler.lastEventId;
  }
  /** The reconnection time in milliseconds that the stream named last; `undefined` if none (T17). */
  get retry() {
    return this.#assembler.retry;
  }
  /** An unfinished line or block is held: at the end of a stream it means that it was cut (T18). */
  get incomplete() {
    return this.#assembler.incomplete || this.#decoder.incomplete;
  }
};

// ../../parse/typed.ts
function readJson(events, schema, options = {}) {
  const { onInvalid = "throw" } = options;
  if (onInvalid !== "throw" && onInvalid !== "skip" && typeof onInvalid !== "function") {
    throw new TypeError(
      `Cannot read events as JSON: "onInvalid" must be "throw", "skip" or a function: received ${JSON.stringify(onInvalid)}`
    );
  }
  const schemaFor = schemasOf(schema);
  let waiting = 0;
  let answer = Promise.resolve();
  let ended = false;
  async function pull() {
    try {
      while (!ended) {
        const { done, value: event } = await events.next();
        if (done) break;
        const schema2 = schemaFor(event.event);
        if (schema2 === void 0) continue;
        let data;
        try {
          data = JSON.parse(event.data);
        } catch (cause) {
          await refuse2(event, [], { cause });
          continue;
        }
        const checked = schema2["~standard"].validate(data);
        const result = "then" in checked ? await checked : checked;
        if (result.issues) await refuse2(event, result.issues);
        else if (!ended) return { done: false, value: { ...event, data: result.value } };
      }
      ended = true;
      return { done: true, value: void 0 };
    } catch (error) {
      ended = true;
      events.return?.().catch(() => {
      });
      throw error;
    } finally {
      waiting--;
    }
  }
  async function refuse2(event, issues, options2) {
    if (ended || onInvalid === "skip") return;
    const error = new InvalidDataError(event, issues, options2);
    if (onInvalid === "throw") throw error;
    await onInvalid(error);
  }
  return {
    // One call after the other: an event that is dropped, or a schema that takes its time, must not
    // let a later call have an earlier event.
    next() {
      const result = waiting++ === 0 ? pull() : answer.then(pull, pull);
      answer = result;
      return result;
    },
    async return() {
      ended = true;
      await events.return?.();
      return { done: true, value: void 0 };
    },
    [Symbol.asyncIterator]() {
      return this;
    }
  };
}
var ANY = { "~standard": { validate: (value) => ({ value }) } };
function schemasOf(schema) {
  if (schema === void 0) return () => ANY;
  if (isSchema(schema)) return () => schema;
  const schemas = /* @__PURE__ */ new Map();
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) {
    for (const [type, each] of Object.entries(schema)) {
      if (!isSchema(each)) {
        throw new TypeError(
          `Cannot read events as JSON: the schema of ${JSON.stringify(type)} must be a Standard Schema: received ${show(each)}`
        );
      }
      schemas.set(type, each);
    }
  }
  if (schemas.size === 0) {
    throw new TypeError(
      `Cannot read events as JSON: "schema" must be a Standard Schema or an object of at least one by event type: received ${show(schema)}`
    );
  }
  return (type) => schemas.get(type);
}
function isSchema(value) {
  return typeof Object(value)["~standard"]?.validate === "function";
}
function show(value) {
  return value === null ? "null" : typeof value;
}

// ../../parse/reader.ts
var EventQueue = class {
  // The events of one chunk, of which `#index` were handed out and `#held` of these are taken.
  // `#taken` is the last event ID before all of them.
  #events = [];
  #index = 0;
  #held = 0;
  #taken;
  // Calls that are not answered yet, and the last of them.
  #waiting = 0;
  #answer = Promise.resolve();
  #ended = false;
  #failure;
  /** Of each use the interface knows the types, a function cannot have them all. */
  json = ((schema, options) => readJson(this, schema, options));
  /** @param lastEventId What `lastEventId` is before any event. */
  constructor(lastEventId) {
    this.#taken = lastEventId;
  }
  get lastEventId() {
    return this.#held === 0 ? this.#taken : this.#events[this.#held - 1].id;
  }
  next() {
    if (this.#waiting === 0 && this.#index < this.#events.length) {
      this.#held = this.#index;
      return Promise.resolve({ done: false, value: this.#events[this.#index++] });
    }
    return this.#inTurn(this.#handOutEvent);
  }
  batches() {
    return {
      next: () => this.#inTurn(this.#handOutBatch),
      return: () => this.return(),
      [Symbol.asyncIterator]() {
        return this;
      }
    };
  }
  async return() {
    await this.#leave();
    return { done: true, value: void 0 };
  }
  async throw(error) {
    await this.#leave(error);
    throw error;
  }
  async [Symbol.asyncDispose]() {
    await this.#leave();
  }
  [Symbol.asyncIterator]() {
    return this;
  }
  /** Moves the last event ID, while the queue is empty: a block without data moves it too (T14). */
  set taken(id) {
    this.#taken = id;
  }
  /** Nothing more is read: after what there is comes the end, or `failure`. */
  end(failure) {
    this.#ended = true;
    this.#failure = failure;
  }
  /** Nothing more is read, see {@linkcode EventQueue.end}. */
  get ended() {
    return this.#ended;
  }
  /** Drops the events that were not handed out. Those that are not taken yet still are not. */
  drop() {
    const taken = this.lastEventId;
    this.onTaken?.(this.#events, this.#held);
    this.#taken = taken;
    this.#events = this.#events.slice(this.#held, this.#index);
    this.#index = this.#events.length;
    this.#held = 0;
  }
  #handOutEvent = () => {
    if (this.#index === this.#events.length) return { done: true, value: void 0 };
    this.#held = this.#index;
    return { done: false, value: this.#events[this.#index++] };
  };
  #handOutBatch = () => {
    if (this.#index === this.#events.length) return { done: true, value: void 0 };
    const batch = this.#index === 0 ? this.#events : this.#events.slice(this.#index);
    this.#take();
    this.#events = batch.slice(this.onTaken === void 0 ? -1 : 0);
    this.#index = this.#events.length;
    return { done: false, value: batch };
  };
  /** Answers with what `handOut` gives, after all that was asked for before. */
  #inTurn(handOut) {
    const pull = () => this.#pull(handOut);
    const answer = this.#waiting++ === 0 ? pull() : this.#answer.then(pull, pull);
    this.#answer = answer;
    return answer;
  }
  /** Reads until there are events, or none will come. */
  async #pull(handOut) {
    try {
      while (this.#index === this.#events.length) {
        this.#take();
        if (this.#ended) await this.beforeEnd?.();
        if (this.#failure !== void 0) {
          const { error } = this.#failure;
          this.#failure = void 0;
          throw error;
        }
        if (this.#ended) break;
        try {
          await this.read(this.#events);
        } catch (error) {
          if (!this.#ended) this.end({ error });
        }
      }
      return handOut();
    } finally {
      this.#waiting--;
    }
  }
  /** The consumer asks for more: all that it was given is taken. */
  #take() {
    if (this.#index === 0) return;
    this.onTaken?.(this.#events, this.#index);
    this.#taken = this.#events[this.#index - 1].id;
    this.#events = [];
    this.#index = 0;
    this.#held = 0;
  }
  async #leave(reason) {
    this.drop();
    this.#failure = void 0;
    if (this.#ended) return;
    this.end();
    await this.stop(reason);
  }
};

// ../../parse/source.ts
function openSource(input) {
  if (typeof input === "string" || ArrayBuffer.isView(input)) return openIterable([input]);
  if (typeof input === "object" && input !== null) {
    if ("getReader" in input) return openStream(input);
    if (Symbol.asyncIterator in input || Symbol.iterator in input) return openIterable(input);
  }
  throw new TypeError(
    `Cannot read events: the source must be a Response, a ReadableStream, an iterable, a string or a Uint8Array: received ${input === null ? "null" : typeof input}`
  );
}
function openStream(stream) {
  if (stream.locked) {
    throw new TypeError(
      "Cannot read events: the stream is locked by another reader, pass one that nobody reads"
    );
  }
  if (stream instanceof ReadableStream) {
    try {
      return openByteStream(stream);
    } catch {
    }
  }
  return stream.getReader();
}
var BUFFER_SIZE = 8192;
var MAX_BUFFER_SIZE = 65536;
function openByteStream(stream) {
  const reader = stream.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(BUFFER_SIZE);
  let closed = false;
  reader.closed.then(() => {
    closed = true;
    reader.releaseLock();
    stream.getReader();
  }, () => {
  });
  return {
    async read() {
      try {
        const { done, value } = await reader.read(new Uint8Array(buffer));
        if (done) return { done };
        const { length } = value;
        buffer = value.buffer;
        const chunk = new Uint8Array(buffer, 0, length);
        if (length === buffer.byteLength && length < MAX_BUFFER_SIZE) {
          buffer = new ArrayBuffer(2 * length);
        }
        return { value: chunk };
      } catch (error) {
        if (closed) return { done: true };
        throw error;
      }
    },
    async cancel(reason) {
      if (!closed) await reader.cancel(reason);
    }
  };
}
function openIterable(input) {
  const iterator = Symbol.asyncIterator in input ? input[Symbol.asyncIterator]() : input[Symbol.iterator]();
  let stop;
  return {
    read() {
      return new Promise((resolve, reject) => {
        stop = () => resolve({ done: true });
        Promise.resolve(iterator.next()).then(resolve, reject);
      }).finally(() => stop = void 0);
    },
    async cancel() {
      const pending = stop !== void 0;
      stop?.();
      const returned = iterator.return?.();
      if (pending) Promise.resolve(returned).catch(() => {
      });
      else await returned;
    }
  };
}

// ../../client/retry.ts
var MIN_RETRY = 100;
var MAX_RETRY = 36e5;
var MAX_TIMER = 2147483647;
function completePolicy(policy) {
  const {
    initialDelay = 1e3,
    maxDelay = 3e4,
    multiplier = 2,
    jitter = 1,
    maxAttempts = Infinity,
    resetAfter = 1e4,
    statuses = [],
    onEnd = "reconnect"
  } = policy;
  checkNumber(initialDelay, "initialDelay", 0);
  checkNumber(maxDelay, "maxDelay", 0);
  checkNumber(multiplier, "multiplier", 1);
  checkNumber(maxAttempts, "maxAttempts", 1);
  checkNumber(resetAfter, "resetAfter", 0);
  if (jitter !== false) {
    checkNumber(jitter, "jitter", 0);
    if (jitter > 1) throw outOfRange("jitter", "from 0 to 1", jitter);
  }
  if (typeof statuses !== "function" && !Array.isArray(statuses)) {
    throw new TypeError(
      `Cannot connect: "statuses" must be an array of statuses or a function: received ${statuses}`
    );
  }
  if (onEnd !== "reconnect" && onEnd !== "close") {
    throw new TypeError(
      `Cannot connect: "onEnd" must be "reconnect" or "close": received ${onEnd}`
    );
  }
  return {
    initialDelay,
    maxDelay,
    multiplier,
    jitter,
    maxAttempts,
    resetAfter,
    statuses,
    onEnd
  };
}
function checkNumber(value, name, least) {
  if (typeof value !== "number" || !(value >= least)) {
    throw outOfRange(name, `a number from ${least} up`, value);
  }
}
function outOfRange(name, range, value) {
  return new RangeError(`Cannot connect: "${name}" must be ${range}: received ${value}`);
}
function retryDelay(policy, context, random) {
  const { attempt, retry, retryAfter = 0 } = context;
  const base = retry === void 0 ? policy.initialDelay : Math.min(Math.max(retry, MIN_RETRY), MAX_RETRY);
  const growth = Math.min(policy.multiplier ** (attempt - 1), Number.MAX_VALUE);
  const longest = Math.min(
    base * growth,
    // A server may ask for more than the policy would wait.
    retry === void 0 ? policy.maxDelay : Math.max(base, policy.maxDelay)
  );
  const delay = longest * (1 - Number(policy.jitter) * random());
  return Math.min(
    Math.max(delay, Math.min(longest, MIN_RETRY), Math.min(retryAfter, MAX_RETRY)),
    MAX_TIMER
  );
}
function decideRetry(retry, policy, context, random) {
  const { attempt, cause } = context;
  if (typeof retry === "function") {
    const delay = retry(context);
    if (delay === false) return { error: cause };
    if (!(delay >= 0)) {
      throw new RangeError(
        `Cannot connect again: "retry" must return milliseconds from 0 up, or false: received ${delay}`
      );
    }
    return Math.min(delay, MAX_TIMER);
  }
  const final = retry === false || cause instanceof RedirectError || cause instanceof ResponseError && !retriesStatus(policy, cause.status) || (cause === void 0 || cause instanceof TruncatedError) && policy.onEnd === "close";
  if (final) return { error: cause };
  if (attempt >= policy.maxAttempts) {
    return { error: new RetriesExhaustedError(attempt, { cause }) };
  }
  return retryDelay(policy, context, random);
}
function retriesStatus({ statuses }, status) {
  return typeof statuses === "function" ? statuses(status) : statuses.includes(status);
}
function parseRetryAfter(value, now) {
  if (value === null) return void 0;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1e3;
  if (!/^[a-z]+,? .+:\d\d:\d\d/i.test(value)) return void 0;
  const date = Date.parse(/gmt\s*$/i.test(value) ? value : `${value} GMT`);
  return Number.isNaN(date) ? void 0 : Math.max(0, date - now);
}

// ../../client/timers.ts
function startTimer(callback, ms, unref = false) {
  const timer = setTimeout(callback, Math.min(ms, MAX_TIMER));
  if (unref) timer.unref?.();
  return () => clearTimeout(timer);
}
var Watch = class {
  #limit;
  #onLate;
  #since;
  #spent = 0;
  #over = false;
  #clear;
  /**
   * @param limit How long, in ms.
   * @param onLate Called once, when it was longer.
   */
  constructor(limit, onLate) {
    this.#limit = limit;
    this.#onLate = onLate;
  }
  /** The waiting begins. */
  start() {
    if (this.#over) return;
    this.#since = performance.now();
    this.#clear ??= startTimer(this.#look, this.#limit - this.#spent);
  }
  /** It is over for now. With `reset` the next one begins at nothing, else it goes on. */
  pause(reset) {
    if (this.#since !== void 0 && !reset) this.#spent += performance.now() - this.#since;
    this.#since = void 0;
  }
  /** It is over for good. */
  stop() {
    this.#over = true;
    this.#clear?.();
    this.#clear = void 0;
    this.#since = void 0;
  }
  #look = () => {
    this.#clear = void 0;
    if (this.#since === void 0) return;
    const left = this.#limit - this.#spent - (performance.now() - this.#since);
    if (left > 0) this.#clear = startTimer(this.#look, left);
    else this.#onLate();
  };
};

// ../../client/link.ts
var Link = class {
  /** When its headers came, by `performance.now`. */
  openedAt = performance.now();
  parser;
  /** From which event of the last chunk on an id was named by this response itself. */
  namedFrom = Infinity;
  #source;
  #controller;
  #idle;
  #firstEvent;
  #late;
  #ended = false;
  constructor(source, controller, parserOptions, { firstEventTimeout, idleTimeout }) {
    this.#source = source;
    this.#controller = controller;
    this.parser = new ServerSentEventParser({
      ...parserOptions,
      onId: () => this.namedFrom = Math.min(this.namedFrom, eventsSoFar(this.parser))
    });
    this.#idle = this.#watch("idle", idleTimeout);
    this.#firstEvent = this.#watch("first-event", firstEventTimeout);
  }
  /** An id was named by this response itself. */
  get named() {
    return this.namedFrom < Infinity;
  }
  /** The next chunk; `undefined` at the end. Rejects with what broke it. */
  async read() {
    this.#idle?.start();
    this.#firstEvent?.start();
    let result;
    try {
      result = await this.#source.read();
    } catch (cause) {
      throw this.#late ?? networkError("the body broke off", cause);
    }
    if (this.#late !== void 0) throw this.#late;
    this.#idle?.pause(true);
    this.#firstEvent?.pause(false);
    if (!result.done) return result.value;
    this.#ended = true;
    return void 0;
  }
  /** Parses a chunk; `events` also holds what came before a fault. */
  feed(chunk, events) {
    if (this.named) this.namedFrom = 0;
    try {
      this.parser.feed(chunk, events);
    } finally {
      if (events.length > 0) this.#firstEvent?.stop();
    }
  }
  /** Lets go of the response; a pending read settles. */
  async close() {
    this.#idle?.stop();
    this.#firstEvent?.stop();
    if (this.#ended) return;
    const cancelled = this.#source.cancel(void 0);
    this.#controller.abort();
    await cancelled.catch(() => {
    });
  }
  #watch(phase, ms) {
    if (ms === void 0 || ms === false) return void 0;
    return new Watch(ms, () => {
      this.#late = new TimeoutError(phase, ms);
      this.close().catch(() => {
      });
    });
  }
};
function networkError(what, cause) {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SseError("ERR_SSE_NETWORK", `Cannot read event stream: ${what}: ${reason}`, { cause });
}

// ../../parse/response.ts
var BODY_START = 4096;
var EVENT_STREAM = /(?:^|,)\s*text\/event-stream\s*(?:;[^,]*)?$/i;
function isEventStream(response) {
  return faultOf(response) === void 0;
}
async function refusal(response, body) {
  const { code, message } = faultOf(response);
  const { status, headers } = response;
  return new ResponseError(code, message, { status, headers, body: await readStart(body) });
}
function faultOf({ status, headers }) {
  if (status !== 200) {
    return {
      code: "ERR_SSE_STATUS",
      message: `Cannot read events: the status must be 200: received ${status}`
    };
  }
  const type = headers.get("content-type") ?? "";
  if (EVENT_STREAM.test(type)) return void 0;
  return {
    code: "ERR_SSE_CONTENT_TYPE",
    message: `Cannot read events: the content type must be "text/event-stream": received ${JSON.stringify(type)}, set "checkResponse" to false if the body is one all the same`
  };
}
async function readStart(body) {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let text = "";
  let left = BODY_START;
  try {
    while (left > 0) {
      const { done, value } = await body.read();
      if (done) return text;
      const bytes = typeof value === "string" ? encoder.encode(value) : value;
      text += decoder.decode(bytes.subarray(0, left), { stream: true });
      left -= bytes.length;
    }
    await body.cancel(void 0);
  } catch {
  }
  return text;
}

// ../../client/resume.ts
var UNSENDABLE = /^[\t ]|[\t ]$|[\x00-\x08\x0a-\x1f\x7f]/;
function lastEventIdHeader(id) {
  if (UNSENDABLE.test(id) || !id.isWellFormed()) return void 0;
  if (headersTakeText()) return id;
  return Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join("");
}
var takeText;
function headersTakeText() {
  try {
    return takeText ??= new Headers([["probe", "Ā"]]) !== void 0;
  } catch {
    return takeText = false;
  }
}
var REMEMBERED = 1024;
var ReplayFilter = class {
  #taken = [];
  #next = 0;
  #active = false;
  // How many events of each id are still to be dropped: made with the first event of a connection,
  // for what was in hand when it began is taken by then.
  #left;
  /** Remembers the first `count` of `events` as taken. */
  take(events, count) {
    for (let i = Math.max(0, count - REMEMBERED); i < count; i++) {
      this.#taken[this.#next] = events[i].id;
      this.#next = (this.#next + 1) % REMEMBERED;
    }
  }
  /** A new connection: what it sends first may have been taken before. */
  start() {
    this.#active = true;
    this.#left = void 0;
  }
  /** A replay may go on. */
  get active() {
    return this.#active;
  }
  /**
   * Whether this event was taken before.
   *
   * @param named Whether this connection has named an id yet. Until then an event has the id that
   * was asked for, which says nothing about it: it is kept.
   */
  repeats({ id }, named) {
    if (!this.#active || !named || id === "") return false;
    this.#left ??= this.#count();
    const left = this.#left.get(id);
    if (left === void 0) {
      this.#active = false;
      return false;
    }
    this.#left.set(id, left - 1);
    return left > 0;
  }
  /** Whether an id without an event may be one of a replay. */
  repeatsId(id) {
    return this.#active && this.#taken.includes(id);
  }
  #count() {
    const counts = /* @__PURE__ */ new Map();
    for (const id of this.#taken) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  }
};

// ../../client/request.ts
var RequestMaker = class {
  #url;
  #options;
  #request;
  #init;
  #headers;
  #custom;
  #requestBody;
  #streamed = false;
  /** Throws `TypeError` at a URL, headers or a body that no request can have. */
  constructor(input, options, custom) {
    const { headers, body, json, lastEventIdParam: _, ...init } = options;
    if (body !== void 0 && json !== void 0) {
      throw new TypeError(
        'Cannot connect: "body" and "json" are both given, leave one of them out'
      );
    }
    this.#options = options;
    this.#init = init;
    this.#custom = custom;
    if (isRequest(input)) {
      this.#request = input;
      this.#url = input.url;
    } else {
      this.#url = typeof input === "function" ? input : resolveUrl(input, custom);
    }
    this.#headers = typeof headers === "function" || headers === void 0 ? headers : new Headers(headers);
    if (typeof json !== "function" && json !== void 0) stringify(json);
  }
  /** The URL, `""` while a function has yet to tell it. */
  get url() {
    return typeof this.#url === "function" ? "" : String(this.#url);
  }
  /** The signal of a `Request`. */
  get signal() {
    return this.#request?.signal;
  }
  /** Makes the next request. */
  async make(context) {
    const { body, json, lastEventIdParam } = this.#options;
    const { lastEventId } = context;
    const url = resolveUrl(await valueOf(this.#url, context), this.#custom);
    const headers = new Headers(await valueOf(this.#headers, context) ?? this.#request?.headers);
    const init = { ...this.#requestInit(), ...this.#init, headers };
    if (json !== void 0) {
      const value = await valueOf(json, context);
      if (value !== void 0) {
        init.body = stringify(value);
        if (!headers.has("content-type")) headers.set("content-type", "application/json");
      }
    } else {
      init.body = await valueOf(body, context) ?? await this.#bodyOfRequest();
    }
    if (init.body === void 0 || init.body === null) delete init.body;
    else this.#checkBody(init, typeof body === "function", context);
    if (init.body !== void 0) init.method ??= "POST";
    if (!headers.has("accept")) headers.set("accept", "text/event-stream");
    if (guardsHeaders()) init.cache ??= "no-store";
    else if (!headers.has("cache-control")) headers.set("cache-control", "no-cache");
    let lastEventIdSent = lastEventId === "";
    if (lastEventId !== "") {
      const value = lastEventIdHeader(lastEventId);
      lastEventIdSent = value !== void 0;
      if (value === void 0) headers.delete("last-event-id");
      else headers.set("last-event-id", value);
      if (lastEventIdParam !== void 0) {
        url.searchParams.set(lastEventIdParam, lastEventId);
        lastEventIdSent = true;
      }
    }
    return { url, init, lastEventIdSent };
  }
  /** What a `Request` names beside URL, headers and body. */
  #requestInit() {
    if (this.#request === void 0) return {};
    const { method, credentials, mode, referrer, referrerPolicy, integrity, keepalive } = this.#request;
    const given = { credentials, mode, referrer, referrerPolicy, integrity, keepalive };
    const init = Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== void 0 && value !== "")
    );
    return method === "GET" ? init : { ...init, method };
  }
  async #bodyOfRequest() {
    if (this.#request === void 0 || this.#request.body === null) return void 0;
    this.#requestBody ??= this.#request.arrayBuffer();
    return await this.#requestBody;
  }
  #checkBody(init, made, { cause }) {
    if (!isStream(init.body)) return;
    if (this.#streamed && !made) {
      throw new SseError(
        "ERR_SSE_BODY_USED",
        'Cannot connect again: "body" is a stream and was sent, give a function that makes one for each attempt',
        { cause }
      );
    }
    this.#streamed = true;
    Object.assign(init, { duplex: "half" });
  }
};
function isStream(body) {
  return typeof body === "object" && body !== null && ("getReader" in body || Symbol.asyncIterator in body);
}
function isRequest(input) {
  return typeof input === "object" && input !== null && "method" in input && "headers" in input;
}
function resolveUrl(input, custom) {
  const { location } = globalThis;
  let url;
  try {
    url = new URL(input, location?.href);
  } catch (cause) {
    throw new TypeError(`Cannot connect: the URL must be absolute: received "${input}"`, { cause });
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError(
      'Cannot connect: the URL must not hold a user name or password, send them in an "authorization" header'
    );
  }
  if (!custom && url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TypeError(`Cannot connect: the URL must be http or https: received "${url.href}"`);
  }
  return url;
}
async function valueOf(value, context) {
  return typeof value === "function" ? await value(context) : value;
}
function stringify(value) {
  const text = JSON.stringify(value);
  if (text !== void 0) return text;
  throw new TypeError(`Cannot connect: "json" must be a JSON value: received ${typeof value}`);
}
var guarded;
function guardsHeaders() {
  return guarded ??= !new Request("http://localhost/", { headers: { "sec-probe": "1" } }).headers.has("sec-probe");
}

// ../../client/redirect.ts
var STATUSES = [301, 302, 303, 307, 308];
var MAX_REDIRECTS = 20;
async function fetchFollowing(fetch, { url, init }, signal, mode) {
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url.href, { ...init, signal, redirect: "manual" });
    if (signal.aborted) {
      response.body?.cancel().catch(() => {
      });
      throw signal.reason;
    }
    if (response.type === "opaqueredirect") {
      return await followBlindly(fetch, { url, init }, signal, mode);
    }
    const location = response.headers.get("location");
    if (!STATUSES.includes(response.status) || location === null) return response;
    response.body?.cancel().catch(() => {
    });
    const refuse2 = (reason) => refusal2(url, reason, location);
    if (mode === "error") throw refuse2('"redirect" is "error"');
    if (redirects === MAX_REDIRECTS) throw refuse2(`it is the ${MAX_REDIRECTS + 1}st in a row`);
    if (!URL.canParse(location, url.href)) throw refuse2(`"${location}" is no URL`);
    const next = new URL(location, url.href);
    if (next.protocol !== "http:" && next.protocol !== "https:") {
      throw refuse2(`"${next.href}" is neither http nor https`);
    }
    if (next.username !== "" || next.password !== "") {
      throw refuse2("it holds a user name or password");
    }
    const { status } = response;
    const method = (init.method ?? "GET").toUpperCase();
    const get = status === 303 ? method !== "GET" && method !== "HEAD" : status < 303 && method === "POST";
    if (get) init = withoutBody(init);
    if (next.origin !== url.origin) {
      if (mode === "same-origin") {
        throw refuse2(
          `"${next.origin}" is another origin, connect to it or set "redirect" to "follow"`
        );
      }
      if (init.body !== void 0) throw refuse2("its body must not go to another origin");
      init = forOtherOrigin(init);
    } else if (isStream(init.body)) {
      throw refuse2("its body is a stream and was sent");
    }
    url = next;
  }
}
function withoutBody({ body: _, method: __, ...init }) {
  const headers = new Headers(init.headers);
  for (const name of [...headers.keys()]) {
    if (name.startsWith("content-")) headers.delete(name);
  }
  return { ...init, headers };
}
function forOtherOrigin(init) {
  const headers = new Headers({ accept: "text/event-stream" });
  if (init.headers.has("cache-control")) headers.set("cache-control", "no-cache");
  return { ...init, headers, credentials: "omit" };
}
async function followBlindly(fetch, { url, init }, signal, mode) {
  const refuse2 = (reason, to = "") => refusal2(url, reason, to);
  if (mode === "error") throw refuse2('"redirect" is "error"');
  if (isStream(init.body)) throw refuse2("its body is a stream and was sent");
  const response = await fetch(url.href, { ...init, signal, redirect: "follow" });
  const same = URL.canParse(response.url) && new URL(response.url).origin === url.origin;
  if (mode === "same-origin" && !same) {
    response.body?.cancel().catch(() => {
    });
    throw refuse2("it leads to another origin", response.url);
  }
  return response;
}
function refusal2({ href }, reason, to) {
  return new RedirectError(`Cannot follow redirect from "${href}": ${reason}`, href, to);
}

// ../../client/opening.ts
var REFUSAL_TIMEOUT = 2e3;
var Final = class {
  error;
  constructor(error) {
    this.error = error;
  }
};
var Opener = class {
  #maker;
  #options;
  #onRequest;
  /** A request was made before: the caller's functions are right. */
  #made = false;
  /** Since the last response that was none: a second 401 in a row is final. */
  #renewal;
  /** @param onRequest Told of each request before it is sent. */
  constructor(maker, options, onRequest) {
    this.#maker = maker;
    this.#options = options;
    this.#onRequest = onRequest;
  }
  /**
   * A response that is an event stream, or a 204. Rejects with what went wrong, as
   * {@linkcode Final} if another attempt is of no use, and with the reason when it is aborted.
   *
   * @param begin Called for each request, one more after a 401.
   */
  async open(controller, begin) {
    const { signal } = controller;
    const { onUnauthorized } = this.#options;
    await this.#renewed(signal);
    for (; ; ) {
      const context = begin();
      const response = await this.#request(context, controller);
      if (response.status === 401 && onUnauthorized !== void 0 && this.#renewal === void 0) {
        response.body?.cancel().catch(() => {
        });
        const { attempt, lastEventId } = context;
        this.#renewal = (async () => await onUnauthorized({ response, attempt, lastEventId }))();
        await this.#renewed(signal);
        continue;
      }
      this.#renewal = void 0;
      if (response.status === 204 || isEventStream(response)) return response;
      throw await refuse(response);
    }
  }
  async #renewed(signal) {
    try {
      await orAbort(this.#renewal, signal);
    } catch (error) {
      throw signal.aborted ? error : new Final(error);
    }
  }
  /** Makes the request and sends it, within the time for both. */
  async #request(context, controller) {
    const { connectTimeout, redirect = "same-origin", fetch } = this.#options;
    const { signal } = controller;
    const stop = connectTimeout === void 0 || connectTimeout === false ? () => {
    } : startTimer(
      () => controller.abort(new TimeoutError("connect", connectTimeout)),
      connectTimeout
    );
    try {
      const outgoing = await this.#make(context, signal);
      this.#onRequest(context, outgoing);
      signal.throwIfAborted();
      const response = fetchFollowing(
        (...args) => (fetch ?? globalThis.fetch)(...args),
        outgoing,
        signal,
        redirect
      ).catch((cause) => {
        throw cause instanceof RedirectError ? cause : networkError("the request failed", cause);
      });
      response.then(({ body }) => signal.aborted ? body?.cancel() : void 0).catch(() => {
      });
      return await orAbort(response, signal);
    } finally {
      stop();
    }
  }
  async #make(context, signal) {
    try {
      const outgoing = await orAbort(this.#maker.make(context), signal);
      this.#made = true;
      return outgoing;
    } catch (error) {
      if (signal.aborted) throw error;
      throw this.#made && !(error instanceof SseError) ? error : new Final(error);
    }
  }
};
async function refuse(response) {
  const source = openSource(response.body ?? []);
  const stop = startTimer(() => source.cancel(void 0).catch(() => {
  }), REFUSAL_TIMEOUT);
  try {
    return await refusal(response, source);
  } finally {
    stop();
  }
}
async function orAbort(work, signal) {
  const aborted = Promise.withResolvers();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

// ../../client/options.ts
function checkOptions(options) {
  for (const name of ["connectTimeout", "firstEventTimeout", "idleTimeout"]) {
    const value = options[name];
    if (value !== void 0 && value !== false) checkNumber(value, name, 0);
  }
  for (const name of ["until", "onComment", "onUnauthorized", "onState", "fetch"]) {
    const value = options[name];
    if (value !== void 0 && typeof value !== "function") {
      throw new TypeError(`Cannot connect: "${name}" must be a function: received ${value}`);
    }
  }
  const { redirect = "same-origin" } = options;
  if (redirect !== "same-origin" && redirect !== "follow" && redirect !== "error") {
    throw new TypeError(
      `Cannot connect: "redirect" must be "same-origin", "follow" or "error": received ${redirect}`
    );
  }
}
var OURS = [
  "connectTimeout",
  "dedupe",
  "fetch",
  "firstEventTimeout",
  "idleTimeout",
  "lastEventId",
  "maxEventSize",
  "onComment",
  "onState",
  "onUnauthorized",
  "redirect",
  "retry",
  "signal",
  "store",
  "until"
];
function requestOptions(options) {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !OURS.includes(name)));
}

// ../../client/store.ts
var IdSaver = class {
  #store;
  #onError;
  #saved;
  #wanted;
  #saving;
  constructor(store, id, onError) {
    this.#store = store;
    this.#saved = id;
    this.#wanted = id;
    this.#onError = onError;
  }
  save(id) {
    if (id === this.#wanted) return;
    this.#wanted = id;
    this.#saving ??= this.#run();
  }
  /** Resolves when all is saved, or has failed. */
  async flush() {
    await this.#saving;
  }
  async #run() {
    try {
      while (this.#saved !== this.#wanted) {
        const id = this.#wanted;
        await this.#store.save(id);
        this.#saved = id;
      }
    } catch (error) {
      this.#saved = this.#wanted;
      this.#onError(error);
    } finally {
      this.#saving = void 0;
    }
  }
};

// ../../client/connection.ts
var Connection = class extends EventQueue {
  #opened = Promise.withResolvers();
  #closed = Promise.withResolvers();
  opened = this.#opened.promise;
  closed = this.#closed.promise;
  stats = { bytes: 0, events: 0, attempts: 0, lastByteAt: void 0 };
  #options;
  #unref;
  #opener;
  #policy;
  #signal;
  #filter;
  #saver;
  #url;
  #readyState = "connecting";
  #readable;
  // The loop that connects: `#connecting` is over when there is a link, or none will be. A
  // controller belongs to one attempt or wait; whoever does not find its own is superseded.
  #connecting;
  #controller;
  #link;
  #losses = 0;
  #cause;
  #retry;
  #started = false;
  #wasOpen = false;
  /** A response has named an id. */
  #named = false;
  /** `onState` has thrown. */
  #deaf = false;
  /** @param unref Whether a wait for the next attempt lets a process end. */
  constructor(url, options, unref = false) {
    checkOptions(options);
    const { retry, signal, fetch, lastEventId = "", maxEventSize } = options;
    new ServerSentEventParser({ lastEventId, maxEventSize });
    super(lastEventId);
    this.#options = options;
    this.#unref = unref;
    this.#policy = completePolicy(typeof retry === "object" ? retry : {});
    const maker = new RequestMaker(url, requestOptions(options), fetch !== void 0);
    this.#url = maker.url;
    this.#opener = new Opener(maker, options, (context, { url: url2, lastEventIdSent }) => {
      this.#url = url2.href;
      const { attempt, lastEventId: lastEventId2 } = context;
      this.#tell({ state: "connecting", attempt, lastEventId: lastEventId2, lastEventIdSent });
    });
    this.#filter = options.dedupe === false ? void 0 : new ReplayFilter();
    this.#signal = signal === void 0 ? maker.signal : signal ?? void 0;
    this.opened.catch(() => {
    });
    this.#signal?.addEventListener("abort", this.#onAbort);
    this.#connecting = this.#start();
  }
  get readyState() {
    return this.#readyState;
  }
  get url() {
    return this.#url;
  }
  /** The reconnection time that the server sent last, in ms (T17). */
  get retry() {
    return this.#retry;
  }
  get readable() {
    return this.#readable ??= new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await this.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => {
        await this.return();
      }
      // Nothing before it is asked for: an event is taken when the next one is.
    }, { highWaterMark: 0 });
  }
  reconnect() {
    if (this.ended || !this.#started) return;
    this.drop();
    this.#unlink()?.catch(() => {
    });
    this.#controller?.abort();
    this.#losses = 0;
    this.#cause = void 0;
    this.#connecting = this.#connect();
  }
  close(reason) {
    this.#finish({ reason: "closed", cause: reason });
  }
  stop(reason) {
    return this.#shut({ reason: "closed", cause: reason });
  }
  onTaken(events, count) {
    if (count === 0 || !this.#named) return;
    this.#filter?.take(events, count);
    this.#saver?.save(events[count - 1].id);
  }
  async beforeEnd() {
    await this.#saver?.flush();
  }
  async read(events) {
    const link = this.#link;
    if (link === void 0) return await this.#connecting;
    const { lastEventId } = link.parser;
    if (link.named && !this.#filter?.repeatsId(lastEventId)) {
      this.taken = lastEventId;
      this.#saver?.save(lastEventId);
    }
    try {
      const chunk = await link.read();
      if (link !== this.#link) return;
      if (chunk === void 0) return this.#lose(link, this.#truncation(link));
      this.stats.bytes += chunk.length;
      this.stats.lastByteAt = Date.now();
      this.#feed(link, chunk, events);
    } catch (error) {
      if (link === this.#link) this.#lose(link, error);
    }
  }
  #feed(link, chunk, events) {
    let failure;
    let complete = false;
    try {
      try {
        link.feed(chunk, events);
      } finally {
        if (this.#filter?.active) this.#dropRepeats(link, events);
        complete = this.#cutAtTerminator(events);
      }
    } catch (error) {
      failure = { error };
    }
    this.#retry = link.parser.retry ?? this.#retry;
    this.#named ||= link.named;
    this.stats.events += events.length;
    if (complete) this.#finish({ reason: "ended" });
    else if (failure !== void 0) this.#fail(failure.error);
  }
  #dropRepeats(link, events) {
    let kept = 0;
    for (let i = 0; i < events.length; i++) {
      if (!this.#filter.repeats(events[i], i >= link.namedFrom)) events[kept++] = events[i];
    }
    events.length = kept;
  }
  /** Cuts `events` before the one that ends the stream; whether there is one. */
  #cutAtTerminator(events) {
    const { until } = this.#options;
    if (until === void 0) return false;
    const index = events.findIndex((event) => until(event));
    if (index === -1) return false;
    events.length = index;
    return true;
  }
  /** What the end of a body is short of. */
  #truncation({ parser }) {
    if (parser.incomplete) {
      return new TruncatedError("Cannot finish event: the body ended inside of it");
    }
    if (this.#options.until === void 0) return void 0;
    return new TruncatedError('Cannot finish stream: the body ended before the event of "until"');
  }
  async #start() {
    await void 0;
    if (this.#signal?.aborted) this.#onAbort();
    const { store } = this.#options;
    if (store !== void 0 && !this.ended) {
      try {
        const { signal } = this.#controller = new AbortController();
        const id = await orAbort(store.load(), signal);
        if (id !== void 0) {
          new ServerSentEventParser({ lastEventId: id });
          this.taken = id;
        }
        this.#saver = new IdSaver(store, this.lastEventId, (error) => this.#fail(error));
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#started = true;
    await this.#connect();
  }
  /** Connects, and again, until there is a link, or none will be, or somebody else connects. */
  async #connect() {
    while (!this.ended) {
      const controller = this.#controller = new AbortController();
      try {
        await this.#attempt(controller);
        return;
      } catch (error) {
        if (controller !== this.#controller) return;
        controller.abort();
        if (this.ended || !await this.#waitAfter(error)) return;
      }
    }
  }
  async #attempt(controller) {
    this.#readyState = "connecting";
    const { lastEventId } = this;
    const response = await this.#opener.open(controller, () => ({
      attempt: ++this.stats.attempts,
      lastEventId,
      cause: this.#cause
    }));
    if (controller.signal.aborted) {
      response.body?.cancel().catch(() => {
      });
      return;
    }
    if (response.status === 204) {
      this.#opened.resolve(response);
      return this.#finish({ reason: "no-content" });
    }
    this.#open(response, controller, lastEventId);
  }
  #open(response, controller, lastEventId) {
    const { maxEventSize, onComment, onState } = this.#options;
    const comments = onComment !== void 0 || onState !== void 0;
    const parserOptions = {
      maxEventSize,
      lastEventId,
      onComment: comments ? this.#onComment : void 0
    };
    const source = openSource(response.body ?? []);
    this.#link = new Link(source, controller, parserOptions, this.#options);
    this.#readyState = "open";
    if (this.#wasOpen) this.#filter?.start();
    this.#wasOpen = true;
    this.#opened.resolve(response);
    this.#tell({ state: "open", response });
  }
  #onComment = (text) => {
    this.#options.onComment?.(text);
    this.#tell({ state: "comment", text });
  };
  /** The link is lost: who reads next waits for another. */
  #lose(link, cause) {
    if (performance.now() - link.openedAt >= this.#policy.resetAfter) this.#losses = 0;
    const anew = this.#policy.onEnd === "close" && this.stats.events > 0 && this.lastEventId === "";
    if (anew && cause instanceof SseError && !(cause instanceof TruncatedError)) {
      cause = new TruncatedError("Cannot finish stream: the body broke off", { cause });
    }
    this.#unlink()?.catch(() => {
    });
    this.#controller = void 0;
    this.#connecting = this.#waitAfter(cause).then((again) => again ? this.#connect() : void 0);
  }
  /** Waits as long as the policy has it; whether to try again then. */
  async #waitAfter(cause) {
    this.#readyState = "connecting";
    const delay = this.#delayAfter(cause);
    if (delay === void 0) return false;
    this.#cause = cause;
    const controller = this.#controller = new AbortController();
    this.#tell({ state: "retry", delay, cause, attempt: this.#losses });
    await new Promise((resolve) => {
      if (controller.signal.aborted) return resolve();
      const stop = startTimer(resolve, delay, this.#unref);
      controller.signal.addEventListener("abort", () => {
        stop();
        resolve();
      });
    });
    return !controller.signal.aborted;
  }
  /** How long to wait before the next attempt; if there is none, the connection is closed. */
  #delayAfter(cause) {
    if (cause instanceof Final) return this.#fail(cause.error);
    const context = {
      attempt: ++this.#losses,
      cause,
      lastEventId: this.lastEventId,
      retry: this.#retry,
      retryAfter: cause instanceof ResponseError ? parseRetryAfter(cause.headers.get("retry-after"), Date.now()) : void 0
    };
    try {
      const decision = decideRetry(this.#options.retry, this.#policy, context, Math.random);
      if (typeof decision === "number") return decision;
      if (decision.error === void 0) this.#finish({ reason: "ended" });
      else this.#fail(decision.error);
    } catch (error) {
      this.#fail(error);
    }
  }
  /** Lets go of the response, if there is one. */
  #unlink() {
    const link = this.#link;
    if (link === void 0) return void 0;
    this.#link = void 0;
    return link.close();
  }
  /** Ends it once: by whatever comes first. */
  #finish(info) {
    if (this.ended) return;
    if (info.reason === "closed" || info.reason === "aborted") this.drop();
    this.end(isFailure(info) ? { error: info.cause } : void 0);
    this.#shut(info).catch(() => {
    });
  }
  #fail(error) {
    this.#finish({ reason: "failed", cause: error });
  }
  #onAbort = () => {
    this.#finish({ reason: "aborted", cause: this.#signal?.reason });
  };
  /** Frees all there is, and tells why. */
  async #shut(info) {
    this.#readyState = "closed";
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const cancelled = this.#unlink();
    this.#controller?.abort();
    if (!this.#wasOpen) {
      this.#opened.reject(
        isFailure(info) ? info.cause : new SseError("ERR_SSE_CLOSED", "Cannot open: the connection was closed before")
      );
    }
    this.#tell({ state: "closed", ...info });
    const saved = this.#saver?.flush();
    if (saved === void 0) this.#closed.resolve(info);
    else saved.then(() => this.#closed.resolve(info));
    await cancelled;
    await saved;
  }
  #tell(state) {
    if (this.#deaf) return;
    try {
      this.#options.onState?.(state);
    } catch (error) {
      this.#deaf = true;
      if (this.ended) {
        queueMicrotask(() => {
          throw error;
        });
      } else this.#fail(error);
    }
  }
};
function isFailure({ reason }) {
  return reason === "failed" || reason === "aborted";
}

// ../../client/connect.ts
function connect(url, options = {}) {
  return new Connection(url, options);
}

// ../../encode/show.ts
function show2(value) {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  }
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}

// ../../server/log.ts
var EVENT_ID = /^([\w-]{1,32})\.(0|[1-9]\d{0,15})$/;
function parseEventId(id) {
  const match = EVENT_ID.exec(id);
  if (match === null) return void 0;
  const seq = Number(match[2]);
  return Number.isSafeInteger(seq) ? { epoch: match[1], seq } : void 0;
}

// ../../server/patterns.ts
var MAX_TOPIC_LENGTH = 256;
var RESERVED = "$sse";
var UNPRINTABLE = /\p{Cc}/u;
var SYNTAX = /[*(){}\\]|(?:^|\/):/;
function checkTopic(topic) {
  checkText(topic, "topic");
  if (isPattern(topic)) {
    throw fault(
      "topic",
      '"*", "(", ")", "{", "}", "\\" and a ":" that begins a segment are kept for patterns, replace them',
      topic
    );
  }
}
function isPattern(text) {
  return SYNTAX.test(text);
}
function checkText(text, what) {
  if (typeof text !== "string" || text === "" || text.length > MAX_TOPIC_LENGTH) {
    throw fault(what, `it must be a string of 1 to ${MAX_TOPIC_LENGTH} UTF-16 units`, text);
  }
  if (UNPRINTABLE.test(text) || !text.isWellFormed()) {
    throw fault(what, "it must not contain a control character or a lone surrogate", text);
  }
  if (text.split("/", 1)[0] === RESERVED) {
    throw fault(
      what,
      `names that begin with "${RESERVED}/" are reserved, take another one`,
      text
    );
  }
}
function fault(what, rule, text) {
  const received = typeof text === "string" ? show2(text) : text === null ? "null" : typeof text;
  return new TypeError(`Cannot use ${what}: ${rule}: received ${received}`);
}

// ../../server/cursor.ts
var MAX_CURSOR_LENGTH = 6e3;
var NO_TOPIC = "-";
var SEQ_LENGTH = 16;
var UNSAFE = /[^!-~]|[%&,=]/gu;
function formatCursor(positions) {
  return new VectorCursor(positions).toString();
}
function parseCursor(text) {
  if (text.length > MAX_CURSOR_LENGTH) return void 0;
  const positions = /* @__PURE__ */ new Map();
  if (text === NO_TOPIC) return positions;
  try {
    let epoch = "";
    for (const part of text.split("&")) {
      const [name, place = ""] = part.split("=");
      const dot = place.indexOf(".");
      if (dot !== -1) epoch = place.slice(0, dot);
      positions.set(decodeURIComponent(name), `${epoch}.${place.slice(dot + 1)}`);
    }
    return formatCursor(positions) === text ? positions : void 0;
  } catch {
    return void 0;
  }
}
var VectorCursor = class {
  #places = /* @__PURE__ */ new Map();
  /** What was written last; `undefined` once a topic has moved. */
  #text = "";
  /**
   * Throws as {@linkcode VectorCursor.set} does.
   *
   * @param positions The id of the last event of each topic. Default: no topic.
   */
  constructor(positions = []) {
    for (const [topic, id] of positions) this.set(topic, id);
  }
  /**
   * Moves a topic to an event, or adds it behind the others. Room is kept for the longest `seq`, so
   * that a topic of the vector can always move on within its epoch.
   *
   * @throws {TypeError} If the topic is none, or the id none of a log.
   * @throws {RangeError} If the vector would get too long, by a topic or an epoch; nothing is changed
   * then.
   */
  set(topic, id) {
    const to = parseEventId(id);
    if (to === void 0) {
      throw new TypeError(
        `Cannot move cursor: an id must be "epoch.seq", as a log gives it: received ${JSON.stringify(id)}`
      );
    }
    const place = this.#places.get(topic);
    if (place?.epoch === to.epoch) place.seq = to.seq;
    else this.#write(topic, place, to);
    this.#text = void 0;
  }
  /** The id of the last event of a topic; `undefined` if the vector has no such topic. */
  get(topic) {
    const place = this.#places.get(topic);
    return place && `${place.epoch}.${place.seq}`;
  }
  /** Writes the vector, as {@linkcode formatCursor} does. */
  toString() {
    this.#text ??= this.#join();
    return this.#text === "" ? NO_TOPIC : this.#text;
  }
  #join() {
    let text = "";
    let epoch = "";
    for (const place of this.#places.values()) {
      if (text !== "") text += "&";
      text += `${place.name}=`;
      if (place.epoch !== epoch) text += `${place.epoch}.`;
      text += place.seq;
      epoch = place.epoch;
    }
    return text;
  }
  /** The rare case: a topic is new, or has another epoch. */
  #write(topic, place, to) {
    const name = place?.name ?? encodeTopic(topic);
    this.#places.set(topic, { name, ...to });
    const length = this.#longest();
    if (length <= MAX_CURSOR_LENGTH) return;
    const { size } = this.#places;
    if (place === void 0) this.#places.delete(topic);
    else this.#places.set(topic, place);
    throw new RangeError(
      `Cannot move cursor: its ${size} topics would take up to ${length} characters and ${MAX_CURSOR_LENGTH} may be, carry fewer topics on a connection or give them shorter names`
    );
  }
  /** How long the text gets when each `seq` is as long as it can be. */
  #longest() {
    let length = -1;
    let epoch = "";
    for (const place of this.#places.values()) {
      length += place.name.length + SEQ_LENGTH + 2;
      if (place.epoch !== epoch) length += place.epoch.length + 1;
      epoch = place.epoch;
    }
    return length;
  }
};
function encodeTopic(topic) {
  checkTopic(topic);
  return topic.replace(UNSAFE, encodeURIComponent);
}
export {
  ResponseError,
  connect,
  isPattern,
  parseCursor,
  parseEventId
};
