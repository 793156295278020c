/**
 * What the browser keeps. One that is told to keep nothing throws; the page goes on without then.
 *
 * @module
 */

/**
 * @param {"localStorage" | "sessionStorage"} where For ever, or as long as the tab is open.
 * @param {string} key
 */
export function load(where, key) {
  try {
    return globalThis[where].getItem(key) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {"localStorage" | "sessionStorage"} where
 * @param {string} key
 * @param {string} value
 */
export function save(where, key, value) {
  try {
    globalThis[where].setItem(key, value);
  } catch {
    // It is known until the page is loaded again.
  }
}
