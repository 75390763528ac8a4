// The drawing: laid out once for each configuration, then only its words and colours change.

import { arrange, partsOf } from "./arrange.js";
import { rate } from "./format.js";
import { takeOver } from "./svg.js";

const STATE_ROOM = "# running, mon full"; // as in zmqtopo/draw/dot.py
const RATE_ROOM = "# 888.8k/s";

// Graphviz lays texts out as wide as they are in Helvetica, in which this one is so many ems wide.
const ALPHABET = "abcdefghijklmnopqrstuvwxyz";
const ALPHABET_WIDTH = 12.726; // by the widths of Adobe's font metrics

const LAYOUT_TIME = 60_000; // ms after which a layout is given up

const LEAST_SCALE = 0.55; // as in page.css: smaller texts cannot be read

const MARGIN = 130; // px of a window that a drawing which fits leaves to the rest, as in page.css

const LEFT = /^device:([^>.]+)\.(in|out|mon)>/;
const RIGHT = />device:([^>.]+)\.(in|out|mon)#\d+$/;

const FROM = { in: "out_to_in", out: "in_to_out", mon: "mon" };
const TO = { in: "in_to_out", out: "out_to_in" };

/** The same drawing from top to bottom, for narrow windows: no edge has to leave its box on the right. */
function topDown(dot) {
  return dot.replace('rankdir="LR"', 'rankdir="TB"').replace(/:"(in|out|mon)":[ew](?= )/g, ':"$1"');
}

export class Drawing {
  #box;
  #parts = [];
  #worker = null;
  #cancel = null;
  #nodes = new Map();
  #edges = [];

  /** `onSelect` is called with the name of a device that was clicked. */
  constructor(box, onSelect) {
    this.#box = box;
    box.addEventListener("click", (event) => {
      const id = event.target.closest?.("g.node")?.id ?? "";
      if (id.startsWith("device:")) onSelect(id.slice("device:".length));
    });
  }

  /** Lay out and show. Rejects with the reason where there is no drawing. */
  async show(dot, { isDown = false } = {}) {
    this.cancel("another one was asked for");
    const text = await this.#layOut(isDown ? topDown(dot) : dot);
    const svg = takeOver(text);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "Drawing of the topology. The table of devices says the same in words.");
    this.#box.replaceChildren(svg);
    makeFit(svg);
    svg.querySelector("g.graph > polygon")?.remove(); // its ground
    svg.querySelector("g.graph").removeAttribute("transform");
    this.#parts = partsOf(svg);
    this.arrange();
    this.#index(svg, isDown ? { forward: "↓", back: "↑" } : { forward: "→", back: "←" });
  }

  /** Make the best of the room that there is now. */
  arrange() {
    const svg = this.#box.firstElementChild;
    if (!svg) return;
    const { width, height } = arrange(this.#parts, {
      width: toPoints(this.#box.clientWidth),
      height: toPoints(innerHeight - MARGIN),
      least: LEAST_SCALE,
      fits: this.#box.classList.contains("fit"),
    });
    svg.setAttribute("viewBox", `-4 -4 ${Math.ceil(width) + 8} ${Math.ceil(height) + 8}`);
    svg.style.setProperty("--width", `${Math.round(toPixels(width + 8))}px`);
  }

  /** Give a layout up that is under way. */
  cancel(reason) {
    this.#cancel?.(new Error(reason));
  }

  clear() {
    this.cancel("it is not wanted any more");
    this.#box.replaceChildren();
    this.#nodes.clear();
    this.#edges = [];
    this.#parts = [];
  }

  get isEmpty() {
    return this.#nodes.size === 0;
  }

  update(rows) {
    const byName = new Map(rows.map((row) => [row.name, row]));
    for (const [name, node] of this.#nodes) node.update(byName.get(name));
    for (const edge of this.#edges) edge.update(byName);
  }

  select(name) {
    for (const [other, node] of this.#nodes) node.element.classList.toggle("selected", other === name);
  }

  #layOut(dot) {
    return new Promise((resolve, reject) => {
      const worker = (this.#worker ??= new Worker(new URL("layout.js", import.meta.url), { type: "module" }));
      const give = (error) => {
        worker.terminate();
        this.#worker = null;
        done();
        reject(error);
      };
      const timer = setTimeout(() => give(new Error(`it took more than ${LAYOUT_TIME / 1000} s`)), LAYOUT_TIME);
      const done = () => {
        clearTimeout(timer);
        this.#cancel = null;
      };
      this.#cancel = give;
      worker.onerror = (event) => give(new Error(event.message || "this browser cannot run Graphviz"));
      worker.onmessage = ({ data }) => {
        done();
        if (data.error === undefined) resolve(data.svg);
        else reject(new Error(data.error));
      };
      worker.postMessage(dot);
    });
  }

  #index(svg, arrows) {
    this.#nodes.clear();
    for (const element of svg.querySelectorAll("g.node")) {
      if (element.id.startsWith("device:")) this.#nodes.set(element.id.slice("device:".length), new NodeMark(element));
    }
    const ends = new Map();
    this.#edges = [...svg.querySelectorAll("g.edge")].map((element) => new EdgeMark(element, ends, arrows));
  }
}

const toPoints = (pixels) => (pixels * 3) / 4;
const toPixels = (points) => (points * 4) / 3;

/** Make all texts smaller where this machine's font is wider than the one that the layout was made for. */
function makeFit(svg) {
  const probe = svg.appendChild(svg.querySelector("text")?.cloneNode() ?? document.createElementNS(svg.namespaceURI, "text"));
  probe.setAttribute("font-size", "100");
  probe.textContent = ALPHABET;
  const factor = probe.getComputedTextLength() / 100 / ALPHABET_WIDTH;
  probe.remove();
  if (!(factor > 1.02)) return;
  for (const text of svg.querySelectorAll("text")) {
    text.setAttribute("font-size", (parseFloat(text.getAttribute("font-size")) / factor).toFixed(2));
  }
}

/** The texts of an element that stand where room was kept, each centred where it stands. */
function rooms(element, room, name) {
  const found = [...element.querySelectorAll("text")].filter((text) => text.textContent === room);
  for (const text of found) {
    const box = text.getBBox();
    text.setAttribute("text-anchor", "middle");
    text.setAttribute("x", String(box.x + box.width / 2));
    text.textContent = "";
    text.classList.add(name);
  }
  return found;
}

/** The tooltip that Graphviz has put into an element. It goes, since the element's own title will say more. */
function takeTooltip(element) {
  const [first, ...others] = element.querySelectorAll(":scope g title");
  for (const title of [first, ...others]) title?.remove();
  return first?.textContent ?? "";
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

class NodeMark {
  #state;
  #title;
  #about;

  constructor(element) {
    this.element = element;
    [this.#state] = rooms(element, STATE_ROOM, "state");
    this.#title = element.querySelector("title");
    this.#about = takeTooltip(element);
  }

  update(row) {
    this.element.dataset.tone = row?.tone ?? "idle";
    this.element.dataset.state = row?.device.state ?? "gone";
    write(this.#state, row ? `${row.sign} ${row.brief}` : "not there");
    write(this.#title, [row?.name ?? this.element.id, this.#about, row?.state, row?.reason].filter(Boolean).join("\n"));
  }
}

class EdgeMark {
  #ends = [];
  #ways;
  #texts;
  #seen;
  #title;
  #pattern;
  #arrows;

  constructor(element, seen, arrows) {
    this.element = element;
    for (const [pattern, isLeft] of [[LEFT, true], [RIGHT, false]]) {
      const found = pattern.exec(element.id);
      if (!found) continue;
      const end = { name: found[1], role: found[2], isLeft, key: `${found[1]}.${found[2]}` };
      seen.set(end.key, (seen.get(end.key) ?? 0) + 1);
      this.#ends.push(end);
    }
    this.#seen = seen;
    this.#arrows = arrows;
    const both = element.classList.contains("both");
    this.#ways = both ? ["forward", "back"] : [element.classList.contains("back") ? "back" : "forward"];
    this.#texts = rooms(element, RATE_ROOM, "rate");
    this.#title = element.querySelector("title");
    this.#pattern = takeTooltip(element);
  }

  update(byName) {
    const rates = this.#ways.map((way) => this.#rate(way, byName));
    rates.forEach(({ value, atMost }, i) => {
      write(this.#texts[i], `${this.#arrows[this.#ways[i]]} ${atMost && value ? "≤ " : ""}${rate(value)}/s`);
    });
    const most = Math.max(...rates.map(({ value }) => value ?? 0));
    this.element.dataset.flow = most === 0 ? "none" : most < 1000 ? "some" : most < 100_000 ? "much" : "most";
    this.element.dataset.tone = this.#isFull(byName) ? "full" : "";
    const shared = rates.some(({ atMost }) => atMost);
    const about = shared ? "at most: the rate of a socket with several connections" : "";
    write(this.#title, [this.#pattern, about].filter(Boolean).join("\n"));
  }

  /** What passes one way: as a socket with this connection alone counts it, or at most what a shared socket counts. */
  #rate(way, byName) {
    const known = this.#ends.map((end) => {
      const leaves = end.isLeft === (way === "forward");
      const flow = byName.get(end.name)?.flows[leaves ? FROM[end.role] : TO[end.role]];
      return { value: flow?.rate ?? null, isShared: this.#seen.get(end.key) > 1 };
    }).filter(({ value }) => value !== null);
    const exact = known.find(({ isShared }) => !isShared);
    if (exact) return { value: exact.value, atMost: false };
    return { value: known.length ? Math.min(...known.map(({ value }) => value)) : null, atMost: known.length > 0 };
  }

  #isFull(byName) {
    return this.#ends.some((end) => {
      const row = byName.get(end.name);
      return row?.device.state === "running" && row.flows[FROM[end.role]].waiting;
    });
  }
}
