/**
 * The Chromium of Debian, where it is installed.
 *
 * @module
 */

import { CHROMIUM as PATHS } from "../tools/runtimes/chromium.ts";
import { requireProgram } from "./programs.ts";

/** Where it is. */
export const [CHROMIUM] = PATHS;

/** Whether it is there. If not it says so; in CI it throws. */
export const hasChromium: boolean = await requireProgram(
  CHROMIUM,
  ["--version"],
  "apt-get install chromium",
);
