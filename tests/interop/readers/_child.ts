/**
 * Our readers in a process: reads lines of questions, writes lines of answers. For Node and Bun.
 *
 * @module
 */

import { serve } from "./_answer.ts";
import { READS } from "./reads.ts";

serve(READS);
