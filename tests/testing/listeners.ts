/**
 * Who listens to a signal: nobody may, once it is of no use.
 *
 * @module
 */

/**
 * Watches who listens to a signal.
 *
 * @returns The listeners there are, from now on.
 */
export function listenersOf(signal: AbortSignal): readonly unknown[] {
  const listeners: unknown[] = [];
  const { addEventListener: add, removeEventListener: remove } = signal;
  Object.assign(signal, {
    addEventListener(...args: Parameters<typeof add>) {
      listeners.push(args[1]);
      add.apply(signal, args);
    },
    removeEventListener(...args: Parameters<typeof remove>) {
      listeners.splice(listeners.indexOf(args[1]), 1);
      remove.apply(signal, args);
    },
  });
  return listeners;
}
