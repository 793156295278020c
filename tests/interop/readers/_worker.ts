/** Our readers in a Worker: it is told what to read, and answers with what it has read. */

import { readTold } from "./_told.ts";

export default {
  fetch: async (request: Request): Promise<Response> =>
    Response.json(await readTold(await request.json())),
};
