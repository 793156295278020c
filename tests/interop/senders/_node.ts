/** Our responses on Node itself. */

import { createServer } from "node:http";
import { toNodeHandler } from "../../../node.ts";
import { answer } from "./answer.ts";

const server = createServer(toNodeHandler(answer));
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") console.log(address.port);
});
