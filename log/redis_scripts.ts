/**
 * What Redis runs for the log. A script is atomic: nothing of anybody else comes in between.
 *
 * A topic has three keys: a hash with its epoch `e`, and by the epoch the number of its last event;
 * a stream whose ids are `number-time`; and, where there are idempotency keys, a sorted set of
 * these by number.
 *
 * @module
 */

/** What the scripts of a log depend on. It is in their text: each is an argument less to send. */
export interface ScriptOptions {
  maxEvents: number;
  maxAge: number;
  topicExpiry: number;
  sharded: boolean;
  /** What the client puts before keys. */
  keyPrefix: string;
  /** The client may send a script twice. */
  repeats: boolean;
}

/** The scripts of a log. Of `append` and `read` the keys are those of a topic: hash, stream, set. */
export interface Scripts {
  /**
   * Appends events as most are: without a key, to a topic that the process knows, and that is as it
   * was. KEYS: hash, stream. ARGV: 1 and 2 epoch and number that are known, 3 the channel, from 4 on
   * the records. Gives the number of the first; nothing, if the other script must do it.
   */
  next: string;
  /**
   * Appends an event. ARGV: those of {@linkcode PLACE}, 5 the channel, 6 the record, 7 the
   * idempotency key or nothing, 8 the writer, 9 how many it has written. Gives the id; nothing, if
   * the writer has sent it twice.
   */
  append: string;
  /**
   * Reads events. ARGV: those of {@linkcode PLACE}, 5 the epoch that is asked for or nothing, 6 the
   * number of the first event, 7 how many. Gives the epoch, the last number, the first that is
   * held, and entries of the stream.
   */
  read: string;
  /** Tells that a topic is there. KEYS: the set of topics. ARGV: 1 its name, 2 the channel. */
  register: string;
  /**
   * Lists topics. KEYS: the set of topics. ARGV: 1 the time since when they were registered. Gives
   * the time, and names.
   */
  list: string;
}

/** The expiry of a key is renewed this often within the time that it is to be there. */
export const RENEWALS = 8;

/** How long a topic without an event is there, in ms: somebody has asked for it. */
const MAX_EMPTY = 3_600_000;

/** How many events may be held beyond `maxEvents`: about those of a node of the stream. */
const NODE = 128;

/** How many writers a topic remembers. */
const MAX_WRITERS = 1_000;

/**
 * Where the topic stands: `e`, `s`. A new epoch begins if the hash is gone, or if it has given less
 * of the epoch than this process has seen: the engine has lost its memory.
 *
 * ARGV: 1 a new epoch, 2 and 3 epoch and number that are known, 4 whether to renew the expiry.
 */
const PLACE = `
local e = m[1]
local s = e and tonumber(e == ARGV[2] and m[2] or redis.call('HGET', KEYS[1], e)) or 0
local fresh = not e or (e == ARGV[2] and s < tonumber(ARGV[3]))
if fresh then
  -- First what an engine without memory refuses.
  redis.call('HSET', KEYS[1], 'e', ARGV[1], ARGV[1], 0)
  if e then redis.call('HDEL', KEYS[1], e) end
  redis.call('DEL', KEYS[2], KEYS[3])
  e, s, m = ARGV[1], 0, {}
end
`;

const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`;

/** Writes the scripts of a log. */
export function scriptsOf(options: ScriptOptions): Scripts {
  const { topicExpiry, sharded } = options;
  const publish = sharded ? "SPUBLISH" : "PUBLISH";
  return {
    next: nextOf(options, publish),
    append: appendOf(options, publish),
    read: readOf(options),
    register: `${NOW}
if redis.call('ZADD', KEYS[1], now, ARGV[1]) == 1 then
  redis.call('${publish}', ARGV[2], ARGV[1])
end
${expire("KEYS[1]", topicExpiry)}
`,
    list: `${NOW}
${
      lines(
        topicExpiry < Infinity,
        `redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${spanOf(topicExpiry)})`,
      )
    }
return { now, redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf') }
`,
  };
}

function nextOf({ maxEvents, maxAge }: ScriptOptions, publish: string): string {
  // One look at the hash is enough: where the memory of the epoch was lost, the count is not above
  // what is known. It takes half the time of the other script.
  return `
local last = #ARGV
local n = redis.call('HINCRBY', KEYS[1], ARGV[1], last - 3) - last + 3
if n < tonumber(ARGV[2]) then
  if redis.call('HINCRBY', KEYS[1], ARGV[1], 3 - last) == 0 then
    redis.call('HDEL', KEYS[1], ARGV[1])
  end
  return false
end
${lines(maxAge < Infinity, NOW)}
local first = n + 1
for i = 4, last do
  n = n + 1
  local done = redis.pcall('XADD', KEYS[2], ${entryOf(maxEvents, maxAge)}, 'r', ARGV[i])
  if done.err then
    redis.call('HINCRBY', KEYS[1], ARGV[1], i - last - 1)
    return done
  end
end
redis.call('${publish}', ARGV[3], ARGV[1] .. '.' .. first .. ' ' .. table.concat(ARGV, '\\n', 4))
return first
`;
}

/** Arguments of `XADD`. */
function entryOf(maxEvents: number, maxAge: number): string {
  const bound = lines(maxEvents < Infinity, `'MAXLEN', '~', ${maxEvents}, `);
  return `${bound}n .. '-${maxAge < Infinity ? "' .. now" : "0'"}`;
}

function appendOf(
  { maxEvents, maxAge, topicExpiry, repeats }: ScriptOptions,
  publish: string,
): string {
  const bounded = maxEvents < Infinity;
  const ages = maxAge < Infinity;
  return `
local m = redis.call('HMGET', KEYS[1], 'e', ARGV[2]${lines(repeats, ", ARGV[8]")})
${PLACE}
if ARGV[7] ~= '' then
  local known = redis.call('ZSCORE', KEYS[3], ARGV[7])
  if known then return e .. '.' .. known end
end
${lines(repeats, `if m[3] and tonumber(m[3]) >= tonumber(ARGV[9]) then return false end`)}
${lines(ages, NOW)}
local n = string.format('%.0f', s + 1)
redis.call('XADD', KEYS[2], ${entryOf(maxEvents, maxAge)}, 'r', ARGV[6])
${lines(repeats, forgetWriters)}
redis.call('HSET', KEYS[1], e, n${lines(repeats, ", ARGV[8], ARGV[9]")})
if fresh or n == '1' or ARGV[4] == '1' then
  ${lines(ages, removeOld(maxAge))}
  ${renew(topicExpiry, maxAge)}
end
if ARGV[7] ~= '' then
  redis.call('ZADD', KEYS[3], n, ARGV[7])
  ${lines(bounded, `redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', n - ${maxEvents + NODE})`)}
  ${expire("KEYS[3]", Math.min(topicExpiry, maxAge))}
end
local id = e .. '.' .. n
redis.call('${publish}', ARGV[5], id .. ' ' .. ARGV[6])
return id
`;
}

const forgetWriters = `
if not m[3] and redis.call('HLEN', KEYS[1]) > ${MAX_WRITERS} then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'e', e)
  fresh = true
end`;

function readOf({ maxAge, topicExpiry }: ScriptOptions): string {
  return `
local m = redis.call('HMGET', KEYS[1], 'e', ARGV[2])
${PLACE}
if s == 0 and (fresh or ARGV[4] == '1') then
  ${expire("KEYS[1]", Math.min(topicExpiry, MAX_EMPTY))}
elseif ARGV[4] == '1' then
  ${renew(topicExpiry, maxAge)}
end
${lines(maxAge < Infinity, removeOld(maxAge))}
if ARGV[7] == '0' then return { e, s, 0, {} } end
local from = tonumber(ARGV[6])
if ARGV[5] ~= '' and ARGV[5] ~= e then from = 0 end
local page = redis.call('XRANGE', KEYS[2], string.format('%.0f', from), '+', 'COUNT', ARGV[7])
local first = page[1]
if not first and from > s + 1 then
  first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
end
return { e, s, first and tonumber(string.match(first[1], '^%d+')) or s + 1, page }
`;
}

/** What is too old goes before anybody sees it. An event of a log without `maxAge` has no time. */
function removeOld(maxAge: number): string {
  return `
${NOW}
local last
repeat
  local old = redis.call('XRANGE', KEYS[2], last and '(' .. last or '-', '+', 'COUNT', 100)
  local past = 0
  for _, entry in ipairs(old) do
    local time = tonumber(string.match(entry[1], '%d+$'))
    if time == 0 or time > now - ${maxAge} then break end
    past, last = past + 1, entry[1]
  end
until past < 100
if last then
  local first = string.format('%.0f', tonumber(string.match(last, '^%d+')) + 1)
  redis.call('XTRIM', KEYS[2], 'MINID', first)
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. first)
end
`;
}

/** How long a key is there that is to be there for so long, and is not renewed each time. */
function spanOf(ms: number): string {
  return `${Math.ceil((ms * (RENEWALS + 1)) / RENEWALS)}`;
}

function expire(key: string, ms: number): string {
  return lines(ms < Infinity, `redis.call('PEXPIRE', ${key}, ${spanOf(ms)})`);
}

/** Whoever renews one renews all: it is noted only that it was done. */
function renew(topicExpiry: number, maxAge: number): string {
  const events = Math.min(topicExpiry, maxAge);
  return [expire("KEYS[1]", topicExpiry), expire("KEYS[2]", events), expire("KEYS[3]", events)]
    .join("\n  ");
}

/** A part of a script, where it is needed. */
function lines(needed: boolean, text: string): string {
  return needed ? text : "";
}
