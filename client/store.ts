/**
 * The last event ID over restarts of a process.
 *
 * @module
 */

/** Keeps the last event ID, in a file or a database for example. */
export interface LastEventIdStore {
  /**
   * Called once, before the first request.
   *
   * @returns The id that was saved last; `undefined` if there is none.
   */
  load(): string | undefined | Promise<string | undefined>;
  /**
   * Called when the id has moved, never while an earlier call is pending: of the ids in between only
   * the last is saved. What it throws ends the connection.
   *
   * @param id The last event ID of what the consumer has taken.
   * @returns Nothing, once the id is safe.
   */
  save(id: string): void | Promise<void>;
}

/** Saves one id at a time. */
export class IdSaver {
  readonly #store: LastEventIdStore;
  readonly #onError: (error: unknown) => void;
  #saved: string;
  #wanted: string;
  #saving: Promise<void> | undefined;

  constructor(store: LastEventIdStore, id: string, onError: (error: unknown) => void) {
    this.#store = store;
    this.#saved = id;
    this.#wanted = id;
    this.#onError = onError;
  }

  save(id: string): void {
    if (id === this.#wanted) return;
    this.#wanted = id;
    this.#saving ??= this.#run();
  }

  /** Resolves when all is saved, or has failed. */
  async flush(): Promise<void> {
    await this.#saving;
  }

  async #run(): Promise<void> {
    try {
      while (this.#saved !== this.#wanted) {
        const id = this.#wanted;
        await this.#store.save(id);
        this.#saved = id;
      }
    } catch (error) {
      this.#saved = this.#wanted;
      this.#onError(error);
    } finally {
      this.#saving = undefined;
    }
  }
}
