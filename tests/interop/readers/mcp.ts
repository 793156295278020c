/** The client of the MCP SDK, by its transport: the answer to a POST. */

// @ts-types="@modelcontextprotocol/sdk/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types";
import { openReader, type Reader } from "../peers.ts";
import { pushText } from "./models.ts";

export const readers: readonly Reader[] = [{
  name: "MCP client",
  ours: false,
  feed: "mcp",
  seesId: false,
  seesRetry: false,
  resumes: false,
  open: () =>
    Promise.resolve(openReader(async (url, seen, signal) => {
      const transport = new StreamableHTTPClientTransport(new URL(url));
      const answered = Promise.withResolvers<void>();
      transport.onmessage = (message: JSONRPCMessage) => {
        if ("result" in message) answered.resolve();
        if (!("method" in message)) return;
        const { data, logger } = message.params ?? {};
        pushText(seen, String(data), Number(logger));
      };
      transport.onerror = answered.reject;
      const stop = () => answered.resolve();
      signal.addEventListener("abort", stop);
      await transport.start();
      await transport.send({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "any" },
      });
      await answered.promise;
      signal.removeEventListener("abort", stop);
      await transport.close();
    })),
}];
