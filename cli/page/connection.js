/**
 * The connection as it is shown: its state in the head of the page, its books below.
 *
 * @module
 */

import { byId, setText } from "./dom.js";
import { count, duration, seconds } from "./format.js";
import { tallyText } from "./ledger.js";

/** @typedef {import("./stream.js").LiveStream} LiveStream */
/** @typedef {import("./stream.js").StreamState} StreamState */

/** How many topics a server lets one connection carry, by default. */
const MAX_TOPICS = 100;

/** Shows a {@linkcode LiveStream}, and cuts it. */
export class ConnectionPanel {
  #stream;
  #announce;
  #state = byId("state", HTMLParagraphElement);
  #text = byId("state-text", HTMLSpanElement);
  #button = byId("cut", HTMLButtonElement);
  #time = byId("cut-for", HTMLSelectElement);
  #attempt = byId("attempt", HTMLElement);
  #received = byId("received", HTMLElement);
  #lost = byId("lost", HTMLElement);
  #repeated = byId("repeated", HTMLElement);
  #asked = byId("asked", HTMLElement);
  #story = byId("story", HTMLParagraphElement);
  /** How many topics the server has. */
  topicCount = 0;
  /** What was said last: a state that goes on is not said again. */
  #said = "";

  /**
   * @param {LiveStream} stream
   * @param {(text: string) => void} announce Says it to who does not see the page.
   */
  constructor(stream, announce) {
    this.#stream = stream;
    this.#announce = announce;
    this.#button.addEventListener("click", () => this.cutOrConnect());
  }

  /** What the button does. */
  cutOrConnect() {
    if (canBeCut(this.#stream.state)) this.#stream.cut(Number(this.#time.value));
    else this.#stream.connectNow();
  }

  /** Shows how it is by now. */
  show() {
    const { state, ledger, openEnded } = this.#stream;
    const { phase, attempt, asked } = state;
    if (this.#state.dataset.phase !== phase) this.#state.dataset.phase = phase;
    setText(this.#text, stateText(state, performance.now()));
    setText(this.#button, canBeCut(state) ? "Cut the connection" : "Connect now");
    setText(this.#attempt, count(attempt));
    setText(this.#received, count(ledger.total.received));
    setText(this.#lost, count(ledger.total.lost));
    setText(this.#repeated, count(ledger.total.repeated));
    this.#lost.classList.toggle("bad", ledger.total.lost > 0);
    setText(this.#asked, asked === "" ? "none, begins live" : asked);
    if (this.#asked.title !== asked) this.#asked.title = asked;

    const story = storyOf(state, ledger.since);
    if (state.ended && openEnded && this.topicCount > MAX_TOPICS) {
      story.text +=
        `. It has ${count(this.topicCount)} topics, more than one connection carries: ` +
        "choose some of them";
    }
    setText(this.#story, story.text);
    if (this.#story.className !== story.mood) this.#story.className = story.mood;
    this.#say(state, story.text);
  }

  /**
   * @param {StreamState} state
   * @param {string} story
   */
  #say({ phase, away }, story) {
    const said = `${phase} ${away}`;
    // A request that is made is no news: how it ends is.
    if (said === this.#said || phase === "connecting") return;
    this.#said = said;
    this.#announce(phase === "open" && away === 0 ? "Connected" : story);
  }
}

/**
 * Whether there is a connection, or the first one is on its way.
 *
 * @param {StreamState} state
 */
function canBeCut({ phase, attempt }) {
  return phase === "open" || (phase === "connecting" && attempt <= 1);
}

/**
 * How it came to be as it is, in a sentence, and whether that is good.
 *
 * @param {StreamState} state
 * @param {import("./ledger.js").Tally} since
 * @returns {{ text: string, mood: "" | "good" | "warn" | "bad" }}
 */
function storyOf({ phase, attempt, away, reason }, since) {
  switch (phase) {
    case "connecting":
      return { text: attempt > 1 ? "Connecting again" : "Connecting", mood: "" };
    case "open":
      if (away === 0) {
        return { text: "Live from now on: cut the connection, and see it resume", mood: "" };
      }
      return {
        text: `Resumed after ${duration(away)}: ${tallyText(since)}`,
        mood: since.lost > 0 ? "bad" : "good",
      };
    case "waiting":
      return { text: `Lost: ${reason}`, mood: "warn" };
    case "closed":
      return { text: `Closed: ${reason}`, mood: "bad" };
  }
}

/**
 * The state in a few words.
 *
 * @param {StreamState} state
 * @param {number} now
 */
function stateText({ phase, attempt, until }, now) {
  switch (phase) {
    case "open":
      return "Connected";
    case "connecting":
      return attempt > 1 ? `Connecting, attempt ${attempt}` : "Connecting";
    case "waiting":
      return `Lost, attempt ${attempt + 1} in ${seconds(Math.max(0, until - now))}`;
    case "closed":
      return "Closed";
  }
}
