/** Our responses in a Worker. */

import { answer } from "./answer.ts";

export default { fetch: answer };
