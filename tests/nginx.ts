/**
 * A real nginx before a server.
 *
 * @module
 */

import { freePort, type Running } from "./listen.ts";
import { startProxy } from "./proxy.ts";

/** What Debian's nginx.conf says about HTTP, as far as it matters to a proxy. */
const DEBIAN = `
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
`;

/** Whatever it writes stays in its own folder. */
const OWN_FOLDER = `
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
`;

/**
 * Starts an nginx.
 *
 * @param config A whole nginx.conf that says nothing of where files are.
 * @param port Where it makes it listen on 127.0.0.1.
 * @param files What it needs beside.
 */
export function startNginx(
  config: string,
  port: number,
  files: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const log = config.includes("access_log") ? "" : "access_log off;";
  const text = config.replace(/^http {/m, `http { ${log} ${OWN_FOLDER}`);
  return startProxy({
    program: "nginx",
    args: (folder) => [
      ...["-p", folder, "-c", "nginx.conf", "-e", "stderr"],
      ...["-g", "daemon off; pid nginx.pid;"],
    ],
    files: { ...files, "nginx.conf": text },
    port,
  });
}

/** How an nginx differs from that of Debian. */
export interface NginxOptions {
  /** Directives of the location. Default: none. */
  readonly location?: string;
  /** Whether event streams are compressed, too. Default: they are. */
  readonly gzip?: boolean;
}

/** Starts an nginx before what listens on `upstream`; it ends with the block. */
export function nginxBefore(
  upstream: number,
  { location = "", gzip = true }: NginxOptions = {},
): Promise<Running> {
  const port = freePort();
  const config = `
worker_processes 1;
events { worker_connections 768; }
http {${DEBIAN}
  gzip ${gzip ? "on" : "off"};
  gzip_types text/plain text/event-stream;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://127.0.0.1:${upstream}; ${location} }
  }
}
`;
  return startNginx(config, port);
}
