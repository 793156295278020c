/**
 * The token that the server wants, if it wants one: of `#token=` in the address, or asked for. It is
 * kept for the tab.
 *
 * @module
 */

import { byId, setText } from "./dom.js";
import { load, save } from "./storage.js";

const KEY = "sse-token";

/** Keeps the token, and asks for it. */
export class Token {
  #dialog = byId("token-dialog", HTMLDialogElement);
  #input = byId("token", HTMLInputElement);
  #value = load("sessionStorage", KEY);
  #onToken;

  /** @param {() => void} onToken Called when there is another one. */
  constructor(onToken) {
    this.#onToken = onToken;
    byId("token-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const value = this.#input.value.trim();
      if (value === "") return;
      this.set(value);
      this.#dialog.close();
      this.#onToken();
    });
    byId("token-cancel", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#input.value = "");
  }

  /** @param {string} value */
  set(value) {
    this.#value = value;
    save("sessionStorage", KEY, value);
  }

  /**
   * The headers of a request.
   *
   * @returns {Record<string, string>}
   */
  headers() {
    return this.#value === "" ? {} : { authorization: `Bearer ${this.#value}` };
  }

  /** Asks for it: the server has refused the one there is, or that there is none. */
  ask() {
    if (this.#dialog.open) return;
    setText(
      byId("token-reason", HTMLParagraphElement),
      this.#value === "" ? "This server asks for one." : "The server has refused the one it got.",
    );
    this.#dialog.showModal();
    this.#input.focus();
  }
}
