// The last lines of the log. It follows its end, unless somebody has scrolled up to read.

import { make } from "./dom.js";

const KEPT = 500; // lines; more are in `zmqtopo logs`

export class Log {
  #box;
  #keys = new Set();

  constructor(box) {
    this.#box = box;
  }

  /** What was logged before the stream began, in place of what is there. */
  replace(lines) {
    this.#box.replaceChildren();
    this.#keys.clear();
    this.add(lines);
  }

  /** What is there already is not added again: the stream begins before the log has been read. */
  add(entries) {
    const box = this.#box;
    const lines = entries.filter((entry) => {
      const key = JSON.stringify(entry);
      return !this.#keys.has(key) && this.#keys.add(key);
    });
    if (!lines.length) return;
    const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
    box.append(...lines.map(line));
    while (box.children.length > KEPT) box.firstChild.remove();
    const keys = this.#keys.values();
    while (this.#keys.size > KEPT) this.#keys.delete(keys.next().value);
    if (follows) box.scrollTop = box.scrollHeight;
  }
}

function line(entry) {
  const about = entry.device ?? entry.topology ?? "";
  return make("div", { "data-event": entry.event }, make("time", {}, entry.time ?? ""), ` ${about}: ${entry.message}`);
}
