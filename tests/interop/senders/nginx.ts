/** nginx in front of ours, as Debian configures it, and one that compresses. */

import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { PATHS } from "../feeds.ts";
import type { Sender, Unavailable } from "../peers.ts";
import { answer } from "./answer.ts";
import { listening } from "./child.ts";
import { freePort, listenDeno, type Running } from "../../listen.ts";
import { OURS } from "./ours.ts";

const config = (port: number, upstream: number, gzip: boolean) => `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events { worker_connections 768; }
http {
  sendfile on;
  tcp_nopush on;
  gzip ${gzip ? "on" : "off"};
  gzip_types text/plain text/event-stream;
  gzip_proxied any;
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_http_version 1.1;
    }
  }
}
`;

/** That readers are sent less than they see is for this alone to know. */
async function assertCompresses(port: number): Promise<void> {
  const headers = { "accept-encoding": "gzip", "connection": "close" };
  const asked = get({ host: "127.0.0.1", port, path: PATHS.resume, headers });
  const [response]: IncomingMessage[] = await once(asked, "response");
  response.destroy();
  const encoding = response.headers["content-encoding"];
  if (encoding !== "gzip") throw new Error(`nginx does not compress: ${encoding}`);
}

async function start(gzip: boolean): Promise<Running | Unavailable> {
  const port = freePort();
  const folder = await Deno.makeTempDir();
  const server = listenDeno(answer);
  await Deno.writeTextFile(`${folder}/nginx.conf`, config(port, server.port, gzip));
  const args = ["-p", folder, "-c", "nginx.conf", "-e", "stderr"];
  const clean = async () => {
    await Deno.remove(folder, { recursive: true });
    await server[Symbol.asyncDispose]();
  };
  try {
    const nginx = new Deno.Command("nginx", { args, stdin: "null", stderr: "null" }).spawn();
    const { status } = nginx;
    await listening(port);
    if (gzip) await assertCompresses(port);
    return {
      port,
      async [Symbol.asyncDispose]() {
        nginx.kill("SIGTERM");
        await status;
        await clean();
      },
    };
  } catch (error) {
    await clean();
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { unavailable: "there is no nginx: apt-get install nginx-light" };
  }
}

export const senders: readonly Sender[] = [
  { name: "ours, nginx before it", ...OURS, start: () => start(false) },
  { name: "ours, nginx with gzip", ...OURS, gzip: true, start: () => start(true) },
];
