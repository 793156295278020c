/** The configurations of docs/proxies.md, each run by its program before a channel. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "../../client.ts";
import { Channel, type Session } from "../../server.ts";
import { certificate } from "../certificate.ts";
import { cuttingProxy } from "../cutting_proxy.ts";
import { within } from "../fault/real_time.ts";
import { parse } from "../helpers.ts";
import { freePort, listenDeno, type Running } from "../listen.ts";
import { startNginx } from "../nginx.ts";
import { requireProgram } from "../programs.ts";
import { startProxy } from "../proxy.ts";
import { blockOf } from "./blocks.ts";

const FILE = "docs/proxies.md";

/** How long anything may take, in ms. */
const PATIENCE = 10_000;
/** How often a silent channel sends a comment, in ms: the proxies cut after 1 s. */
const KEEP_ALIVE = 250;
/** A silence that no proxy bears without comments, in ms. */
const SILENCE = 1_500;

const hasNginx = await requireProgram("nginx", ["-v"], "apt-get install nginx-light");
const hasOpenssl = await requireProgram("openssl", ["version"], "apt-get install openssl");
const hasCaddy = await requireProgram("caddy", ["version"], "apt-get install caddy");
const hasHaproxy = await requireProgram("haproxy", ["-v"], "apt-get install haproxy");
const hasApache = await requireProgram("apache2", ["-v"], "apt-get install apache2-bin");

/** Replaces what has to be there, so that no test runs with something else than it says. */
function replace(text: string, ...changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`Cannot change ${FILE}: there is no "${from}"`);
    return text.replaceAll(from, () => to);
  }, text);
}

/** Where the page has the server. */
const UPSTREAM = "127.0.0.1:8000";

/** Starts the program of a block before a port, with changes to the block. */
type Start = (upstream: number, ...changes: [string, string][]) => Promise<Running>;

const nginx: Start = async (upstream, ...changes) => {
  const port = freePort();
  const block = replace(
    await blockOf(FILE, "nginx"),
    [UPSTREAM, `127.0.0.1:${upstream}`],
    // A compressor that the location is to keep away.
    ["listen 80;", `gzip on; gzip_types text/event-stream; listen 127.0.0.1:${port};`],
    ...changes,
  );
  return startNginx(block, port);
};

/** What keeps a Caddy to loopback and its own folder. */
const CADDY = `{
  admin off
  default_bind 127.0.0.1
  skip_install_trust
  auto_https disable_redirects
  storage file_system .
}
`;

function caddyAt(scheme: "http" | "https"): Start {
  return async (upstream, ...changes) => {
    const port = freePort();
    const block = replace(
      await blockOf(FILE, "caddyfile"),
      [UPSTREAM, `127.0.0.1:${upstream}`],
      ["events.example.com {", `${scheme}://127.0.0.1:${port} {\n  encode gzip`],
      ...changes,
    );
    return startProxy({
      program: "caddy",
      args: () => ["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
      files: { Caddyfile: CADDY + block },
      port,
    });
  };
}

const haproxy: Start = async (upstream, ...changes) => {
  const port = freePort();
  const block = replace(
    await blockOf(FILE, "haproxy"),
    [UPSTREAM, `127.0.0.1:${upstream}`],
    ["bind :80", `bind 127.0.0.1:${port}`],
    ...changes,
  );
  return startProxy({
    program: "haproxy",
    args: () => ["-db", "-f", "haproxy.cfg"],
    files: { "haproxy.cfg": block },
    port,
  });
};

/** What Debian's apache2.conf says, as far as it takes to start, and a compressor. */
function apacheConfig(port: number): string {
  const modules = ["mpm_event", "proxy", "proxy_http", "authz_core", "env", "filter", "deflate"];
  const load = modules.map((name) =>
    `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`
  );
  return `${load.join("\n")}
ServerRoot \${HOME}
DefaultRuntimeDir \${HOME}
PidFile \${HOME}/apache.pid
ErrorLog /dev/stderr
LogLevel error
ServerName localhost
StartServers 1
Listen 127.0.0.1:${port}
<IfModule unixd_module>
  User nobody
  Group nogroup
</IfModule>
AddOutputFilterByType DEFLATE text/event-stream
`;
}

const apache: Start = async (upstream, ...changes) => {
  const port = freePort();
  const block = replace(
    await blockOf(FILE, "apache"),
    [UPSTREAM, `127.0.0.1:${upstream}`],
    ["*:80", `127.0.0.1:${port}`],
    ...changes,
  );
  return startProxy({
    program: "apache2",
    args: (folder) => ["-DFOREGROUND", "-f", `${folder}/apache.conf`],
    files: { "apache.conf": apacheConfig(port) + block },
    port,
  });
};

/** A proxy of the page, and how to make it cut after 1 s. */
interface Case {
  readonly name: string;
  readonly installed: boolean;
  readonly start: Start;
  readonly impatient: [string, string][];
  /** What becomes of an address that the client has made up. Default: it is replaced. */
  readonly forwarded?: string;
}

const CASES: readonly Case[] = [
  {
    name: "nginx",
    installed: hasNginx,
    start: nginx,
    impatient: [["proxy_read_timeout 60s", "proxy_read_timeout 1s"]],
  },
  {
    name: "Caddy",
    installed: hasCaddy,
    start: caddyAt("http"),
    impatient: [["\n}", " {\n transport http {\n read_timeout 1s\n }\n }\n}"]],
  },
  {
    name: "HAProxy",
    installed: hasHaproxy,
    start: haproxy,
    impatient: [["client 60s", "client 1s"], ["server 60s", "server 1s"]],
  },
  {
    name: "Apache",
    installed: hasApache,
    start: apache,
    impatient: [["timeout=60", "timeout=1"]],
    forwarded: "192.0.2.1, 127.0.0.1",
  },
];

/** Two channels, one of which is silent for ever, and a proxy before them. */
async function behind(start: Start, ...changes: [string, string][]) {
  await using stack = new AsyncDisposableStack();
  let last: Request | undefined;
  let joined = 0;
  let left = 0;
  let leave = Promise.withResolvers<void>();
  const onSession = (_: Session, change: "join" | "leave") => {
    if (change === "join") {
      joined++;
      return;
    }
    left++;
    leave.resolve();
    leave = Promise.withResolvers();
  };
  const channel = stack.use(new Channel({ keepAlive: KEEP_ALIVE, onSession }));
  const quiet = stack.use(new Channel({ keepAlive: false, onSession }));
  const server = stack.use(
    listenDeno((request) => {
      last = request;
      return (request.url.endsWith("/quiet") ? quiet : channel).subscribe(request);
    }),
  );
  const { port } = stack.use(await start(server.port, ...changes));
  const all = stack.move();
  return {
    channel,
    quiet,
    port,
    /** A header of the last request, as the server has it. */
    header: (name: string) => last?.headers.get(name),
    /** How many readers have come. */
    joined: () => joined,
    /** Waits until so many readers have left. */
    async gone(count: number): Promise<void> {
      while (left < count) {
        await within(
          leave.promise,
          PATIENCE,
          () => "The server is not told that a reader has left",
        );
      }
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** A response as its bytes come, which takes compressed ones. */
class Reader {
  readonly response: IncomingMessage;
  /** When there is no more: whether it is whole. */
  readonly ended: Promise<boolean>;
  #text = "";

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding("latin1");
    response.on("data", (text: string) => this.#text += text);
    response.on("error", () => {});
    this.ended = new Promise((resolve) => response.on("close", () => resolve(response.complete)));
  }

  /** Asks, and resolves with the headers. */
  static async open(port: number, path = "/"): Promise<Reader> {
    const headers = {
      "accept": "text/event-stream",
      "accept-encoding": "gzip",
      "x-forwarded-for": "192.0.2.1",
    };
    const asked = get({ host: "127.0.0.1", port, path, headers, agent: false });
    const [response]: IncomingMessage[] = await within(
      once(asked, "response"),
      PATIENCE,
      () => "The proxy withholds the headers",
    );
    return new Reader(response);
  }

  get text(): string {
    return this.#text;
  }

  /** Waits until this has come. */
  async sees(text: string): Promise<void> {
    while (!this.#text.includes(text)) await this.more(() => `The proxy withholds "${text}"`);
  }

  /** Waits for bytes. */
  async more(sentence: () => string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onClose = () => reject(new Error(`The proxy has ended the response: ${this.#text}`));
    this.response.once("data", resolve).once("close", onClose);
    try {
      await within(promise, PATIENCE, sentence);
    } finally {
      this.response.off("data", resolve).off("close", onClose);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.response.destroy();
    await this.ended;
  }
}

for (const { name, installed, start, impatient, forwarded = "127.0.0.1" } of CASES) {
  Deno.test({
    name: `docs/proxies.md makes ${name} pass on each event at once, to each reader its own`,
    ignore: !installed,
    async fn() {
      await using site = await behind(start);
      // The headers come before any event.
      await using first = await Reader.open(site.port);
      const { headers } = first.response;
      assertEquals(headers["content-type"], "text/event-stream");
      assertEquals(headers["cache-control"], "no-cache, no-transform");
      assertEquals([headers["content-encoding"], headers["age"]], [undefined, undefined]);
      assertEquals(site.header("host"), `127.0.0.1:${site.port}`);
      assertEquals(site.header("x-forwarded-for"), forwarded);
      const expected: string[][] = [];
      for (let i = 0; i < 20; i++) {
        const data = `event ${i}.`;
        expected.push([data, await site.channel.publish({ data })]);
        await first.sees(data);
      }
      await using second = await Reader.open(site.port);
      await site.channel.publish({ data: "last" });
      await Promise.all([first.sees("data: last"), second.sees("data: last")]);
      const seen = parse([first.text]).events.map(({ data, id }) => [data, id]);
      assertEquals(seen.slice(0, -1), expected);
      assert(!second.text.includes("event 0."), "The second reader is given a stored stream");
      assertEquals(site.joined(), 2);
    },
  });

  Deno.test({
    name:
      `docs/proxies.md keeps a silent stream open behind ${name}, which cuts one without comments`,
    ignore: !installed,
    async fn() {
      await using site = await behind(start, ...impatient);
      await using kept = await Reader.open(site.port);
      await using quiet = await Reader.open(site.port, "/quiet");
      const begin = performance.now();
      while (performance.now() - begin < SILENCE) await kept.more(() => "There are no comments");
      await site.channel.publish({ data: "after the silence" });
      await kept.sees("data: after the silence");
      assertEquals(site.joined(), 2);
      await within(quiet.ended, PATIENCE, () => `${name} bears any silence`);
    },
  });

  Deno.test({
    name: `docs/proxies.md has a reader behind ${name} resume after a cut, and its leaving noticed`,
    ignore: !installed,
    async fn() {
      await using site = await behind(start);
      await using cutting = cuttingProxy(site.port, ["data: event 1\n"]);
      const connection = connect(`http://127.0.0.1:${cutting.port}/`, {
        retry: { initialDelay: 10, jitter: 0 },
      });
      await within(connection.opened, PATIENCE, () => "The headers are withheld");
      for (let i = 0; i < 4; i++) {
        await site.channel.publish({ data: `event ${i}` });
        const { value } = await within(connection.next(), PATIENCE, () => `Event ${i} is lost`);
        assertEquals(value?.data, `event ${i}`);
      }
      assertEquals([site.joined(), cutting.left], [2, []]);
      await site.gone(1);
      connection.close();
      await site.gone(2);
    },
  });
}

Deno.test({
  name: "docs/proxies.md is right that nginx holds back what it is told to, so its test can fail",
  ignore: !hasNginx,
  async fn() {
    await using site = await behind(
      nginx,
      ["proxy_buffering off;", "proxy_ignore_headers X-Accel-Buffering;"],
      // Chunks of HTTP/1.1 happen to be passed on all the same.
      ["proxy_http_version 1.1;", ""],
    );
    let opened = false;
    const reader = Reader.open(site.port).then((reader) => {
      opened = true;
      return reader;
    });
    for (let i = 0; i < 1_000 && site.joined() === 0; i++) await pass(site.port);
    assertEquals(site.joined(), 1);
    await site.channel.publish({ data: "late" });
    for (let i = 0; i < 5; i++) await pass(site.port);
    assertEquals(opened, false);
    for (const session of site.channel.sessions()) session.close();
    await using late = await reader;
    await late.sees("data: late");
  },
});

/** What tells at once that a reader has left, and what only when there is something to send. */
const LEAVES: [
  title: string,
  installed: boolean,
  start: Start,
  change: [string, string][],
  told: boolean,
][] = [
  ["nginx tells", hasNginx, nginx, [], true],
  [
    "nginx with proxy_ignore_client_abort does not tell",
    hasNginx,
    nginx,
    [["gzip off;", "gzip off; proxy_ignore_client_abort on;"]],
    false,
  ],
  ["Caddy tells", hasCaddy, caddyAt("http"), [], true],
  [
    "Caddy with flush_interval -1 does not tell",
    hasCaddy,
    caddyAt("http"),
    [["\n}", " {\n flush_interval -1\n }\n}"]],
    false,
  ],
  ["HAProxy does not tell", hasHaproxy, haproxy, [], false],
  ["Apache does not tell", hasApache, apache, [], false],
];

for (const [title, installed, start, changes, told] of LEAVES) {
  Deno.test({
    name: `docs/proxies.md is right that ${title} of who has left while nothing is sent`,
    ignore: !installed,
    async fn() {
      await using site = await behind(start, ...changes);
      const reader = await Reader.open(site.port, "/quiet");
      await reader[Symbol.asyncDispose]();
      if (told) return await site.gone(1);
      for (let i = 0; i < 20; i++) await pass(site.port);
      assertEquals(site.quiet.size, 1);
      // Of what is sent the first may still be taken.
      for (let i = 0; i < 1_000 && site.quiet.size > 0; i++) {
        await site.quiet.publish({ data: "is anybody there" });
        await pass(site.port);
      }
      await site.gone(1);
    },
  });
}

Deno.test({
  name: "docs/proxies.md is right that HAProxy without http-no-delay waits for more to send",
  ignore: !hasHaproxy,
  async fn() {
    /** How late, in ms, half of the events are at least. */
    const median = async (...changes: [string, string][]) => {
      await using site = await behind(haproxy, ...changes);
      await using reader = await Reader.open(site.port);
      const delays: number[] = [];
      for (let i = 0; i < 7; i++) {
        const begin = performance.now();
        await site.channel.publish({ data: `event ${i}.` });
        await reader.sees(`event ${i}.`);
        delays.push(performance.now() - begin);
      }
      return delays.sort((a, b) => a - b)[3];
    };
    const [without, prompt] = [await median(["option http-no-delay", ""]), await median()];
    assert(without > 150 && prompt < without / 2, `${without} ms without, ${prompt} ms with`);
  },
});

Deno.test({
  name: "docs/proxies.md has Caddy speak HTTP/2 over TLS",
  ignore: !hasCaddy,
  async fn() {
    // Its certificate is of its own making.
    await using site = await behind(caddyAt("https"), ["encode gzip", "tls internal"]);
    await readOverHttp2(site);
  },
});

Deno.test({
  name: "docs/proxies.md has nginx speak HTTP/2 over TLS, and log no query",
  ignore: !hasNginx || !hasOpenssl,
  async fn() {
    await using pair = await certificate();
    const log = await Deno.makeTempFile({ prefix: "sse-log-" });
    try {
      const secure: Start = async (upstream) => {
        const port = freePort();
        const listen = replace(
          await blockOf(FILE, "nginx tls"),
          ["listen 443", `listen 127.0.0.1:${port}`],
        );
        const format = replace(await blockOf(FILE, "nginx log"), ["access.log", log]);
        const config = replace(
          await blockOf(FILE, "nginx"),
          [UPSTREAM, `127.0.0.1:${upstream}`],
          ["server {", `${format} server {`],
          ["listen 80;", listen],
        );
        return startNginx(config, port, { "cert.pem": pair.cert, "key.pem": pair.key });
      };
      {
        await using site = await behind(secure);
        await readOverHttp2(site);
      }
      // It has ended, and written all.
      assertMatch(await Deno.readTextFile(log), /^127\.0\.0\.1 \[\S+\] "GET \/" 200 [\d.]+\n$/);
    } finally {
      await Deno.remove(log);
    }
  },
});

Deno.test({
  name: "docs/scale.md has nginx spread readers over servers, by HTTP/2 over TLS",
  ignore: !hasNginx || !hasOpenssl,
  async fn() {
    await using pair = await certificate();
    await using site = await behind(async (upstream) => {
      const port = freePort();
      const config = replace(
        await blockOf("docs/scale.md", "nginx"),
        ["listen 443", `listen 127.0.0.1:${port}`],
        ["10.0.0.1:8000", `127.0.0.1:${upstream}`],
        // One that is away is passed by.
        ["10.0.0.1:8001", `127.0.0.1:${freePort()}`],
      );
      return await startNginx(config, port, { "cert.pem": pair.cert, "key.pem": pair.key });
    });
    await readOverHttp2(site);
  },
});

/** Reads an event over HTTP/2, and leaves. */
async function readOverHttp2(site: Awaited<ReturnType<typeof behind>>): Promise<void> {
  const session = connectHttp2(`https://127.0.0.1:${site.port}`, { rejectUnauthorized: false });
  try {
    const stream = session.request({ ":path": "/?token=secret", "accept": "text/event-stream" });
    const [headers] = await within(once(stream, "response"), PATIENCE, () => "No headers come");
    assertEquals(headers["content-type"], "text/event-stream");
    stream.setEncoding("utf8");
    await site.channel.publish({ data: "over HTTP/2" });
    let text = "";
    while (!text.includes("data: over HTTP/2")) {
      const [more] = await within(once(stream, "data"), PATIENCE, () => "The event is withheld");
      text += more;
    }
    stream.close();
    await site.gone(1);
  } finally {
    session.destroy();
  }
}

/** A request that passes by a proxy and its server, whose answer comes at once. */
async function pass(port: number): Promise<void> {
  // The channel refuses it.
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: "image/png" } });
  await response.text();
  assertEquals(response.status, 406);
}
