/** Our readers in a page: adds them to what it knows. */

import { readTold } from "./_told.ts";

Object.assign(globalThis, { readTold });
