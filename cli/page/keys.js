/**
 * Single keys that do something, unless they are for a field, or switched off.
 *
 * @module
 */

import { byId } from "./dom.js";
import { load, save } from "./storage.js";

const KEY = "sse-keys";

/** What takes text, or letters to choose by. */
const FIELDS = "input, textarea, select, [contenteditable]";

/** What the space bar presses. */
const PRESSED = "button, summary, a, [role=button]";

/**
 * Listens to keys.
 *
 * @param {Record<string, () => void>} actions What each key does.
 */
export function listenToKeys(actions) {
  const dialog = byId("keys-dialog", HTMLDialogElement);
  const switched = byId("keys-on", HTMLInputElement);
  switched.checked = load("localStorage", KEY) !== "off";
  switched.addEventListener("change", () => {
    save("localStorage", KEY, switched.checked ? "on" : "off");
  });
  const help = () => dialog.showModal();
  byId("help", HTMLButtonElement).addEventListener("click", help);

  document.addEventListener("keydown", (event) => {
    if (!switched.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    if (event.defaultPrevented || event.repeat || document.querySelector("dialog[open]")) return;
    if (target instanceof Element && target.closest(FIELDS) !== null) return;
    if (key === " " && target instanceof Element && target.closest(PRESSED) !== null) return;
    const action = key === "?" ? help : Object.hasOwn(actions, key) ? actions[key] : undefined;
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}
