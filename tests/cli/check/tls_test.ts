/** `sse check` over TLS, where a server may offer HTTP/2. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import tls from "node:tls";
import { CLOCK } from "../../../cli/check/clock.ts";
import { offersHttp2 } from "../../../cli/check/protocol.ts";
import { Channel } from "../../../server.ts";
import { certificate } from "../../certificate.ts";
import { freePort } from "../../listen.ts";
import { requireProgram } from "../../programs.ts";
import { spawnCli } from "../helpers.ts";

const installed = await requireProgram("openssl", ["version"], "apt-get install openssl");

Deno.test({
  name: "offersHttp2 asks a server by ALPN, and takes no answer for none",
  ignore: !installed,
  async fn() {
    await using pair = await certificate();
    const ask = async (...ALPNProtocols: string[]) => {
      const server = tls.createServer({ ...pair, ALPNProtocols }, (socket) => {
        socket.on("error", () => {});
        socket.end();
      });
      const port = freePort();
      await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
      const url = new URL(`https://127.0.0.1:${port}/`);
      const offered = await offersHttp2(url, new AbortController().signal, CLOCK);
      await new Promise((resolve) => server.close(resolve));
      return offered;
    };
    assertEquals([await ask("h2", "http/1.1"), await ask("http/1.1")], [true, false]);
    const { signal } = new AbortController();
    const nobody = new URL(`https://127.0.0.1:${freePort()}/`);
    assertEquals(await offersHttp2(nobody, signal, CLOCK), undefined);
    assertEquals(await offersHttp2(nobody, AbortSignal.abort(), CLOCK), undefined);
    // Browsers speak HTTP/2 over TLS only.
    assertEquals(await offersHttp2(new URL("http://127.0.0.1/"), signal, CLOCK), false);
  },
});

Deno.test({
  name: "sse check trusts the certificates that the environment names, and is content with HTTP/2",
  ignore: !installed,
  async fn() {
    await using pair = await certificate();
    await using channel = new Channel({ retry: 2_000 });
    await channel.publish({ data: "a" });
    const stop = new AbortController();
    const server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      cert: pair.cert,
      key: pair.key,
      signal: stop.signal,
      onListen() {},
    }, (request) => channel.subscribe(request));
    try {
      const args = ["check", `https://127.0.0.1:${server.addr.port}/`, "--for", "500ms"];
      await using distrustful = spawnCli([...args, "--no-resume"]);
      const refused = await distrustful.end();
      assertEquals(refused.code, 1);
      assertStringIncludes(refused.stderr, "ertificate");
      await using trustful = spawnCli([...args, "--no-resume"], {
        env: { NODE_EXTRA_CA_CERTS: pair.path },
      });
      const { code, stdout, stderr } = await trustful.end();
      assertStringIncludes(stdout, "http-version: HTTP/1.1 here, and HTTP/2 is offered", stderr);
      assertEquals([code, stderr], [0, ""]);
    } finally {
      stop.abort();
      await server.finished;
    }
  },
});
