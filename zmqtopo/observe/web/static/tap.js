// The messages of one device as they pass, where the server shows them.

import { make, write } from "./dom.js";

const KEPT = 100; // messages

export const isAllowed = document.documentElement.dataset.tap === "yes";

export class Tap {
  #button = make("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggle() }, "Messages");
  #state = make("p", { role: "status" });
  #lines = make("div", { class: "messages", role: "log", tabindex: "0", "aria-label": "Messages that pass" });
  #device = null;
  #source = null;
  #notShown = 0;

  constructor() {
    this.#lines.hidden = true;
    this.element = make("div", { class: "tap" }, this.#button, this.#state, this.#lines);
  }

  /** Be about another device, or about none. */
  set device(name) {
    if (name === this.#device) return;
    this.close();
    this.#device = name;
    this.#button.setAttribute("aria-label", `Messages of ${name}`);
  }

  close() {
    this.#source?.close();
    this.#source = null;
    this.#button.setAttribute("aria-pressed", "false");
    this.#lines.replaceChildren();
    this.#lines.hidden = true;
    write(this.#state, "");
  }

  toggle() {
    if (this.#source) this.close();
    else this.#open();
  }

  #open() {
    this.#button.setAttribute("aria-pressed", "true");
    this.#lines.hidden = false;
    this.#notShown = 0;
    write(this.#state, "…");
    const source = new EventSource(`api/tap?device=${encodeURIComponent(this.#device)}`);
    this.#source = source;
    const on = (kind, act) => source.addEventListener(kind, (event) => act(JSON.parse(event.data)));
    on("begin", () => write(this.#state, "from now on, twenty a second at most"));
    on("message", (message) => this.#add(line(message)));
    on("gap", ({ missing }) => this.#skip(missing));
    on("note", ({ text }) => this.#add(text));
    on("end", ({ text }) => this.#end(text || "ended"));
    source.addEventListener("error", (event) => event.data === undefined && this.#end("the server shows no messages now"));
  }

  #skip(missing) {
    this.#notShown += missing;
    write(this.#state, `${this.#notShown.toLocaleString("en")} not shown`);
  }

  #end(text) {
    this.#source?.close();
    this.#source = null;
    this.#button.setAttribute("aria-pressed", "false");
    write(this.#state, text);
  }

  #add(text) {
    const box = this.#lines;
    const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
    box.append(make("div", {}, text));
    while (box.children.length > KEPT) box.firstChild.remove();
    if (follows) box.scrollTop = box.scrollHeight;
  }
}

function line({ flow, number, time, frames, more_frames: more }) {
  const shown = frames.map(frame);
  if (more) shown.push(`… ${more} more frames`);
  return `${time.slice(11, 23)} ${flow === "in_to_out" ? "→" : "←"} #${number.toLocaleString("en")}  ${shown.join(" | ")}`;
}

function frame(told) {
  const value = told.text ?? told.hex ?? JSON.stringify(told.json ?? told.msgpack ?? "");
  return told.cut ? `${value}… (${told.size.toLocaleString("en")} B)` : value;
}
