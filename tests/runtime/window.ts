/**
 * The part of a page that the suites use. The types of a whole browser would be those of every other
 * file, too.
 *
 * @module
 */

/** A frame in the page. */
export interface Frame {
  /** Where it is; to set it leads elsewhere. */
  src: string;
  /** Takes it away. */
  remove(): void;
}

/** The page. */
export interface Document {
  /** Cookies as text; to set it adds one. */
  cookie: string;
  /** What frames are put into. */
  readonly body: { append(frame: Frame): void };
  /** Makes a frame. */
  createElement(name: "iframe"): Frame;
}

/** The window of the page. */
export interface Window {
  /** Its page. */
  readonly document: Document;
  /** Where it is. */
  readonly location: { readonly href: string };
  /** The window around a frame; of a page it is the same one. */
  readonly parent: { postMessage(message: unknown, origin: string): void };
  /** Listens to errors that nobody handles, and to messages of frames. */
  addEventListener(type: string, listener: (event: WindowEvent) => void, options?: Options): void;
}

/** What the window is told. */
export interface WindowEvent {
  /** Of an `error`. */
  readonly error?: unknown;
  /** Of an `unhandledrejection`. */
  readonly reason?: unknown;
  /** Of a `message`. */
  readonly data?: unknown;
}

interface Options {
  readonly signal?: AbortSignal;
}

/** The window of this page; only for what runs in one. */
export const window = globalThis as unknown as Window;
