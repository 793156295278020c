/**
 * The form that publishes an event.
 *
 * @module
 */

import { byId, setText } from "./dom.js";
import { randomName } from "./random.js";

/** See the module. */
export class PublishForm {
  #headers;
  #onUnauthorized;
  #topic = byId("publish-topic", HTMLInputElement);
  #type = byId("publish-type", HTMLInputElement);
  #data = byId("publish-data", HTMLTextAreaElement);
  #json = byId("publish-json", HTMLInputElement);
  #check = byId("publish-check", HTMLSpanElement);
  #result = byId("publish-result", HTMLParagraphElement);
  /** Of what was sent and not answered: if it is sent again, it is published once. */
  #key = "";

  /**
   * @param {() => Record<string, string>} headers Of each request.
   * @param {() => void} onUnauthorized Called when the server wants a token.
   */
  constructor(headers, onUnauthorized) {
    this.#headers = headers;
    this.#onUnauthorized = onUnauthorized;
    const form = byId("publish-form", HTMLFormElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    form.addEventListener("input", () => {
      this.#key = "";
      this.#showCheck();
    });
    this.#data.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    this.#showCheck();
  }

  /** Puts the cursor into the first field that is empty, or into the data. */
  focus() {
    byId("publish", HTMLDetailsElement).open = true;
    if (this.#topic.value === "") this.#topic.focus();
    else this.#data.focus();
  }

  /**
   * Suggests a topic, where none was named.
   *
   * @param {string} topic
   */
  suggest(topic) {
    if (this.#topic.value === "" && document.activeElement !== this.#topic) {
      this.#topic.value = topic;
    }
  }

  #showCheck() {
    const fault = this.#json.checked ? jsonFault(this.#data.value) : undefined;
    this.#data.ariaInvalid = fault === undefined ? "false" : "true";
    setText(this.#check, this.#json.checked ? fault ?? "and it is" : "any text is sent as it is");
    this.#check.classList.toggle("bad", fault !== undefined);
  }

  async #submit() {
    const topic = this.#topic.value.trim();
    if (topic === "") return this.#refuse("a topic is needed", this.#topic);
    const data = this.#data.value;
    const fault = this.#json.checked ? jsonFault(data) : undefined;
    if (fault !== undefined) {
      const remedy = "correct it, or let it be any text";
      return this.#refuse(`the data is no JSON: ${fault}: ${remedy}`, this.#data);
    }
    this.#key ||= randomName();
    const type = this.#type.value.trim();
    this.#show("Publishing…");
    try {
      const response = await fetch(`topics/${encodeURIComponent(topic)}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "idempotency-key": this.#key,
          ...this.#headers(),
        },
        body: JSON.stringify(type === "" ? { data } : { data, event: type }),
      });
      if (response.status === 401) this.#onUnauthorized();
      if (!response.ok) {
        const said = (await response.text()).trim().split("\n")[0];
        return this.#refuse(`the server answered ${response.status}: ${said}`);
      }
      const { id } = await response.json();
      this.#key = "";
      this.#show(`Published as ${id}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#refuse(`${reason}: publish again, it is published once`);
    }
  }

  /**
   * @param {string} reason
   * @param {HTMLElement} [field] Where the fault is.
   */
  #refuse(reason, field) {
    this.#show(`Cannot publish: ${reason}`, true);
    field?.focus();
  }

  /**
   * @param {string} text
   * @param {boolean} [bad]
   */
  #show(text, bad = false) {
    this.#result.classList.toggle("failure", bad);
    this.#result.textContent = text;
  }
}

/**
 * What makes a text no JSON; `undefined` if it is.
 *
 * @param {string} text
 */
function jsonFault(text) {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
