// What is known of one device, in a row of its own below that of the table.

import { verbs } from "./control.js";
import { make, write } from "./dom.js";
import { ago, duration, percent, rate, size } from "./format.js";
import { FLOWS, lastError } from "./rates.js";
import { isAllowed as tapIsAllowed, Tap } from "./tap.js";

const WAYS = { in_to_out: "in to out", out_to_in: "out to in", mon: "copies to mon" };

const COLUMNS = {
  messages: (flow) => flow.messages.toLocaleString("en"),
  "a second": (flow, counted) => rate(counted.rate),
  bytes: (flow) => size(flow.bytes),
  dropped: (flow) => (flow.dropped_exact === false ? "≥ " : "") + flow.dropped.toLocaleString("en"),
  "blocked %": (flow, counted) => percent(counted.blocked),
  waiting: (flow) => (flow.waiting ? "yes" : "no"),
  last: (flow, counted, now) => ago(flow.last, now),
};

export class Detail {
  #facts;
  #flows;
  #buttons;
  #name = null;
  #verbs = "";
  #tap = tapIsAllowed ? new Tap() : null;
  #onVerb;

  /** `onVerb` is called with the device and what is wanted of it. */
  constructor(columns, onVerb) {
    this.#onVerb = onVerb;
    this.#facts = make("dl");
    this.#flows = make("table");
    this.#buttons = make("div", { class: "verbs" });
    const parts = [this.#buttons, this.#facts, this.#flows, this.#tap?.element].filter(Boolean);
    const cell = make("td", { colspan: columns }, make("div", { class: "about" }, ...parts));
    this.element = make("tr", { class: "detail" }, cell);
  }

  update(row) {
    if (row.name !== this.#name) this.#build(row);
    const facts = factsOf(row);
    const shown = [...this.#facts.querySelectorAll("dd")];
    if (shown.length !== facts.length) {
      this.#facts.replaceChildren(
        ...facts.map(([title, value]) => make("div", {}, make("dt", {}, title), make("dd", {}, value))),
      );
    } else {
      facts.forEach(([title, value], i) => {
        write(shown[i].previousSibling, title);
        write(shown[i], value);
      });
    }
    const cells = this.#flows.querySelectorAll("td");
    let at = 0;
    for (const flow of FLOWS) {
      for (const text of Object.values(COLUMNS)) {
        write(cells[at++], text(row.device.counters[flow], row.flows[flow], row.now));
      }
    }
    this.#offer(row);
  }

  #build(row) {
    this.#name = row.name;
    if (this.#tap) this.#tap.device = row.name;
    this.#verbs = "";
    this.#facts.replaceChildren();
    const titles = Object.keys(COLUMNS).map((title) => make("th", { scope: "col" }, title));
    const lines = FLOWS.map((flow) =>
      make("tr", {}, make("th", { scope: "row" }, WAYS[flow]), ...titles.map(() => make("td"))),
    );
    this.#flows.replaceChildren(
      make("caption", {}, `What has passed through ${row.name}`),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "flow"), ...titles)),
      make("tbody", {}, ...lines),
    );
  }

  /** Show messages, or no more of them. */
  toggleTap() {
    if (this.element.isConnected) this.#tap?.toggle();
  }

  /** Nobody looks any more. */
  close() {
    this.#tap?.close();
  }

  /** Buttons are made anew only when others are offered, so that none goes away under a finger. */
  #offer(row) {
    const offered = verbs(row.device.state);
    if (offered.join() === this.#verbs) return;
    const focused = this.#buttons.contains(document.activeElement);
    this.#verbs = offered.join();
    this.#buttons.replaceChildren(
      ...offered.map((verb) =>
        make(
          "button",
          { type: "button", "data-verb": verb, "aria-label": `${verb} ${row.name}`, onclick: () => this.#onVerb(row.name, verb) },
          verb[0].toUpperCase() + verb.slice(1),
        ),
      ),
    );
    if (focused) this.#buttons.querySelector("button")?.focus();
  }
}

/** A fact for numbers by name, of which there are any. */
function count(title, numbers) {
  const told = Object.entries(numbers ?? {}).filter(([, number]) => number);
  return told.length ? [[title, told.map(([name, number]) => `${name} ${number.toLocaleString("en")}`).join(", ")]] : [];
}

function factsOf(row) {
  const { device } = row;
  const bound = Object.entries(device.endpoints ?? {}).filter(([, addresses]) => addresses.length);
  return [
    ["type", device.type.replaceAll("_", " ")],
    ["runs as", [device.run, device.pid && `pid ${device.pid}`].filter(Boolean).join(", ")],
    ["since", device.uptime === null ? "-" : duration(device.uptime)],
    ["restarts", String(device.restarts)],
    ...bound.map(([role, addresses]) => [`${role} is bound to`, addresses.join(", ")]),
    ...count("connections since the start", device.connections),
    ...Object.entries(device.handshake_failures ?? {}).flatMap(([role, reasons]) =>
      count(`could not get in at ${role}`, reasons),
    ),
    ...(row.reason ? [["why", row.reason]] : []),
    ...(device.error && lastError(device) !== row.reason ? [["last error", lastError(device)]] : []),
  ];
}
