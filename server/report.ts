/**
 * Errors of a caller's own callbacks.
 *
 * @module
 */

/**
 * Calls a caller's hook. What it throws is none of ours and stops nothing: it is reported as an
 * uncaught error, as that of any event listener.
 */
export function callHook(hook: () => void): void {
  try {
    hook();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
