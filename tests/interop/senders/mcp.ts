/** The server of the MCP SDK: each text is a notification on the stream of a GET. */

// @ts-types="@modelcontextprotocol/sdk/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { feed } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenDeno } from "../../listen.ts";

async function answer(request: Request): Promise<Response> {
  const mcp = new McpServer({ name: "peer", version: "1.0.0" }, { capabilities: { logging: {} } });
  const transport = new WebStandardStreamableHTTPServerTransport();
  await mcp.connect(transport);
  const response = await transport.handleRequest(request);
  const push = async () => {
    for (const { data } of feed(request.url, "", [])) {
      await mcp.server.sendLoggingMessage({ level: "info", data });
    }
    await mcp.close();
  };
  push();
  return response;
}

/** Anything else is left as it is, to be seen as a difference. */
function unwrap(data: string): string {
  try {
    return JSON.parse(data).params.data;
  } catch {
    return data;
  }
}

export const senders: readonly Sender[] = [{
  name: "MCP server",
  ours: false,
  chooses: [],
  feeds: ["hard"],
  unwrap,
  start: () => Promise.resolve(listenDeno(answer)),
}];
