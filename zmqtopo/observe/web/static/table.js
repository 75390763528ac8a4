// The table of devices. It sorts, filters, has a current row, and touches only the cells whose text has changed.

import { ago, percent, rate, size } from "./format.js";

/** The columns: what is sorted by, what is written, and which way a first click sorts. */
const COLUMNS = {
  device: { key: (row) => row.name, text: (row) => row.name },
  state: { key: (row) => `${TONES.indexOf(row.tone)}${row.state}`, text: (row) => `${row.sign} ${row.state}` },
  in: { key: (row) => row.in, text: (row) => rate(row.in), down: true },
  out: { key: (row) => row.out, text: (row) => rate(row.out), down: true },
  bytes: { key: (row) => row.bytes, text: (row) => size(row.bytes), down: true },
  blocked: { key: (row) => row.blocked, text: (row) => percent(row.blocked), down: true },
  dropped: {
    key: (row) => row.dropped,
    text: (row) => (row.exact ? "" : "≥ ") + row.dropped.toLocaleString("en"),
    down: true,
  },
  peers: { key: (row) => sum(row.peers), text: (row) => (row.peers ? row.peers.join(" / ") : "-"), down: true },
  cpu: { key: (row) => row.cpu, text: (row) => percent(row.cpu), down: true },
  rss: { key: (row) => row.rss, text: (row) => size(row.rss), down: true },
  last: { key: (row) => row.last, text: (row) => ago(row.last, row.now), down: true },
};

const TONES = ["bad", "warn", "wait", "idle", "good"]; // the worst first

// Of more rows than this, those that nobody sees are written in turns. With 1,000 devices whose numbers all change, it
// takes 48 ms of script a second, and 165 ms to write all of them each time (Chromium 156, two busy cores).
const LARGE = 200;
const TURNS = 10;

const ORDER = new Intl.Collator("en", { numeric: true });

const NAMES = Object.keys(COLUMNS);

function sum(counts) {
  return counts ? counts.reduce((total, count) => total + count, 0) : null;
}

/** Unknown values come last, whichever way is sorted; equal ones stay in the order of the file. */
function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "string" ? ORDER.compare(a, b) : a - b);
}

export class Table {
  #table;
  #body;
  #lines = new Map();
  #rows = [];
  #sort = null;
  #down = false;
  #filter = "";
  #current = null;
  #turn = 0;
  #seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      this.#lines.get(target.dataset.device)?.show(isIntersecting);
    }
  });
  #onSelect;

  /** `onSelect` is called with the name of the device whose row becomes the current one, or null. */
  constructor(table, onSelect) {
    this.#table = table;
    this.#onSelect = onSelect;
    this.#body = table.tBodies[0];
    for (const head of table.tHead.rows[0].cells) {
      head.querySelector("button").addEventListener("click", () => this.sortBy(head.dataset.column));
    }
    this.#body.addEventListener("click", (event) => {
      const line = event.target.closest("tr[data-device]");
      if (line) this.select(line.dataset.device);
    });
    this.#body.addEventListener("focusin", (event) => {
      const line = event.target.closest("tr[data-device]");
      if (line && line === event.target) this.#mark(line.dataset.device);
    });
  }

  get current() {
    return this.#current;
  }

  /** How many rows are shown. */
  get shown() {
    return this.#visible().length;
  }

  update(rows) {
    this.#rows = rows;
    const names = new Set(rows.map((row) => row.name));
    for (const [name, line] of this.#lines) {
      if (names.has(name)) continue;
      line.element.remove();
      this.#seen.unobserve(line.element);
      this.#lines.delete(name);
    }
    const isLarge = rows.length > LARGE;
    this.#table.classList.toggle("large", isLarge);
    this.#turn = (this.#turn + 1) % TURNS;
    rows.forEach((row, i) => {
      let line = this.#lines.get(row.name);
      if (!line) this.#lines.set(row.name, (line = new Line(row.name, this.#seen)));
      line.update(row, !isLarge || i % TURNS === this.#turn);
    });
    this.#arrange();
    if (this.#current !== null && !names.has(this.#current)) this.#mark(null);
  }

  /** Sort by a column; by the same one again the other way round, and a third time as in the file. */
  sortBy(name) {
    const first = COLUMNS[name].down ?? false;
    if (this.#sort !== name) [this.#sort, this.#down] = [name, first];
    else if (this.#down === first) this.#down = !first;
    else this.#sort = null;
    this.#showSort();
  }

  sortByIndex(index) {
    if (index < NAMES.length) this.sortBy(NAMES[index]);
  }

  sortByNext() {
    const next = NAMES[(NAMES.indexOf(this.#sort) + 1) % NAMES.length];
    [this.#sort, this.#down] = [next, COLUMNS[next].down ?? false];
    this.#showSort();
  }

  reverse() {
    this.#sort ??= "device";
    this.#down = !this.#down;
    this.#showSort();
  }

  filter(text) {
    this.#filter = text.trim().toLowerCase();
    this.#arrange();
  }

  /** Make a row the current one, show and focus it. */
  select(name) {
    this.#mark(name);
    const element = this.#lines.get(name)?.element;
    element?.focus({ preventScroll: true });
    element?.scrollIntoView({ block: "nearest" });
  }

  /** Go so many rows down, or up. */
  move(step) {
    const rows = this.#visible();
    if (rows.length === 0) return;
    const at = rows.findIndex((row) => row.name === this.#current);
    const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
    this.select(rows[next].name);
  }

  leave() {
    this.#mark(null);
  }

  /** Put an element below the current row, over all columns; without a current row it is nowhere. */
  attach(element) {
    const line = this.#lines.get(this.#current)?.element;
    if (line && line.nextSibling !== element) line.after(element);
    else if (!line) element.remove();
  }

  #mark(name) {
    if (this.#current === name) return;
    this.#lines.get(this.#current)?.mark(false);
    this.#current = name;
    this.#lines.get(name)?.mark(true);
    this.#keepReachable();
    this.#onSelect(name);
  }

  #showSort() {
    for (const head of this.#table.tHead.rows[0].cells) {
      if (head.dataset.column === this.#sort) head.setAttribute("aria-sort", this.#down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    this.#arrange();
  }

  #visible() {
    const rows = this.#rows.filter(
      (row) => !this.#filter || `${row.name} ${row.state} ${row.device.type}`.toLowerCase().includes(this.#filter),
    );
    if (this.#sort === null) return rows;
    const { key } = COLUMNS[this.#sort];
    const sign = this.#down ? -1 : 1;
    return rows.map((row) => [key(row), row]).sort((a, b) => compare(a[0], b[0], sign)).map(([, row]) => row);
  }

  /** Bring the lines into their order. Those that are in it already are not touched, nor is the focus. */
  #arrange() {
    const wanted = this.#visible().map((row) => this.#lines.get(row.name).element);
    const there = [...this.#body.querySelectorAll("tr[data-device]")];
    const focused = document.activeElement;
    if (there.length !== wanted.length || there.some((element, i) => element !== wanted[i])) {
      const extra = this.#body.querySelector("tr.detail");
      this.#body.replaceChildren(...wanted);
      if (extra && this.#lines.get(this.#current)?.element.isConnected) this.attach(extra);
      if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
    }
    this.#keepReachable();
  }

  /** One row can be reached with Tab: the current one, or the first. */
  #keepReachable() {
    const shown = this.#body.querySelectorAll("tr[data-device]");
    const current = this.#lines.get(this.#current)?.element;
    const reachable = current?.isConnected ? current : shown[0];
    for (const element of this.#body.querySelectorAll("tr[tabindex='0']")) {
      if (element !== reachable) element.tabIndex = -1;
    }
    if (reachable) reachable.tabIndex = 0;
  }
}

class Line {
  #texts;
  #row = null;
  #isSeen = false;

  constructor(name, seen) {
    this.element = document.createElement("tr");
    this.element.dataset.device = name;
    this.element.tabIndex = -1;
    this.#texts = NAMES.map((column) => {
      const cell = document.createElement(column === "device" ? "th" : "td");
      if (column === "device") cell.scope = "row";
      cell.dataset.column = column;
      const text = document.createTextNode("");
      cell.append(text);
      this.element.append(cell);
      return text;
    });
    seen.observe(this.element);
  }

  /** Take a row over, and write it where it is seen or has its turn. */
  update(row, isDue) {
    const isFirst = this.#row === null;
    this.#row = row;
    if (isFirst || isDue || this.#isSeen) this.#write();
  }

  show(isSeen) {
    this.#isSeen = isSeen;
    if (isSeen) this.#write();
  }

  #write() {
    const row = this.#row;
    NAMES.forEach((column, i) => {
      const text = COLUMNS[column].text(row);
      if (this.#texts[i].data !== text) this.#texts[i].data = text;
    });
    if (this.element.dataset.tone !== row.tone) this.element.dataset.tone = row.tone;
    if (this.element.title !== row.reason) this.element.title = row.reason;
  }

  mark(isCurrent) {
    if (isCurrent) this.element.setAttribute("aria-current", "true");
    else this.element.removeAttribute("aria-current");
  }
}
