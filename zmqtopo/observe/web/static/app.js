// The page: one event stream, and what it changes.

import { ask, isAllowed, verbs } from "./control.js";
import { Detail } from "./detail.js";
import { make, write } from "./dom.js";
import { Drawing } from "./drawing.js";
import { number, size } from "./format.js";
import { listen } from "./keyboard.js";
import { Log } from "./log.js";
import { Rates } from "./rates.js";
import { Stream } from "./stream.js";
import { Table } from "./table.js";

const DRAWN = 150; // devices; a browser takes seconds to lay more of them out, and nobody can read the result
const LOG_LINES = 200;

const byId = (id) => document.getElementById(id);

const rates = new Rates();
const log = new Log(byId("log"));
const drawing = new Drawing(byId("drawing"), (name) => table.select(name));
const table = new Table(byId("devices"), selected);
const detail = new Detail(byId("devices").tHead.rows[0].cells.length, control);

let config = null; // the configuration that is drawn, or that was tried
let rows = [];
let state = "connecting";
let why = "";
let lastEvent = 0; // ms, of this page's clock

new Stream("api/events", received, connection);
setInterval(tellConnection, 1000);

function received(event) {
  lastEvent = performance.now();
  rows = rates.rows(event);
  table.update(rows);
  drawing.update(rows);
  log.add(event.log ?? []);
  summarize();
  complain();
  showDetail();
  if (event.config !== config) {
    config = event.config;
    draw(rows.length <= DRAWN);
  }
}

// -- the connection --------------------------------------------------------------------------------------------------

function connection(now, reason) {
  if (now === "live" && state !== "live") {
    rates.forget();
    readLog();
  }
  state = now;
  why = reason;
  tellConnection();
}

function tellConnection() {
  const element = byId("connection");
  const seconds = lastEvent ? Math.round((performance.now() - lastEvent) / 1000) : null;
  const old = seconds === null ? "" : ` What is shown is ${seconds} s old.`;
  element.dataset.state = state;
  document.body.classList.toggle("stale", state !== "live" && state !== "connecting");
  write(element, {
    connecting: "◌ connecting",
    live: "● live",
    lost: `✖ Connection lost; trying again.${old}`,
    silent: `✖ The topology does not answer: ${why}.${old}`,
    ended: `■ Nobody listens here any more: the topology has ended, or serves no page.${old}`,
  }[state]);
}

async function readLog() {
  try {
    const response = await fetch(`api/log?lines=${LOG_LINES}`);
    if (!response.ok) return;
    log.replace(await response.json());
  } catch {
    // the stream tells that the server is away
  }
}

// -- what is shown ---------------------------------------------------------------------------------------------------

function summarize() {
  const states = new Map();
  for (const row of rows) {
    const key = `${row.sign} ${row.state}`;
    if (!states.has(key)) states.set(key, { tone: row.tone, count: 0 });
    states.get(key).count += 1;
  }
  const chips = [...states].map(([words, { tone, count }]) => ({ tone, text: `${count.toLocaleString("en")} ${words}` }));
  const known = rows.filter((row) => row.in !== null);
  const total = (key) => known.reduce((sum, row) => sum + row[key], 0);
  const sum = "the sum of all devices";
  if (known.length) chips.push({ tone: "", text: `${number(total("in") + total("out"))} messages/s`, title: sum });
  if (known.length) chips.push({ tone: "", text: `${size(total("bytes"))}/s`, title: sum });
  const box = byId("summary");
  while (box.children.length > chips.length) box.lastChild.remove();
  chips.forEach(({ tone, text, title = "" }, i) => {
    const chip = box.children[i] ?? box.appendChild(make("span", { class: "chip" }));
    chip.dataset.tone = tone;
    chip.title = title;
    write(chip, text);
  });
  const bad = rows.filter((row) => row.tone === "bad").length;
  document.title = `${bad ? `✖ ${bad} · ` : ""}${document.documentElement.dataset.topology} · zmqtopo`;
}

/** Above the drawing: what does not work, and why. */
function complain() {
  const wrong = rows.filter((row) => row.tone === "bad" || row.tone === "warn");
  const shown = wrong.slice(0, 8);
  const texts = shown.map((row) => [row.tone, row.name, `${row.sign} ${row.state}`, row.reason]);
  if (wrong.length > shown.length) texts.push(["", "", "", `and ${wrong.length - shown.length} more; sort the table by state`]);
  const box = byId("problems");
  const key = JSON.stringify(texts);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(
    ...texts.map(([tone, name, words, reason]) =>
      make("li", { "data-tone": tone }, make("b", {}, name), " ", words, reason ? make("span", {}, reason) : ""),
    ),
  );
}

// -- the drawing -----------------------------------------------------------------------------------------------------

const isNarrow = matchMedia("(max-width: 700px)"); // as in page.css
isNarrow.addEventListener("change", () => drawing.isEmpty || draw(true));
addEventListener("resize", () => requestAnimationFrame(() => drawing.arrange()));

let drawings = 0;

async function draw(isWanted) {
  const note = byId("drawing-note");
  if (!isWanted) {
    drawings++;
    drawing.clear();
    note.replaceChildren(
      `The drawing is left out: with ${rows.length.toLocaleString("en")} devices Graphviz takes long in a browser. `,
      make("button", { type: "button", onclick: () => draw(true) }, "Draw it"),
    );
    return;
  }
  const stop = make("button", { type: "button", onclick: () => drawing.cancel("it was stopped") }, "Stop");
  note.replaceChildren(...(drawing.isEmpty ? ["Drawing … ", stop] : []));
  const mine = ++drawings;
  try {
    const response = await fetch("api/graph");
    if (!response.ok) throw new Error((await response.text()).trim() || response.statusText);
    await drawing.show(await response.text(), { isDown: isNarrow.matches });
    drawing.update(rows);
    drawing.select(table.current);
    note.replaceChildren();
  } catch (error) {
    if (mine !== drawings) return; // another one is being made by now
    drawing.clear();
    note.replaceChildren(
      `No drawing: ${error.message}. `,
      make("button", { type: "button", onclick: () => draw(true) }, "Try again"),
    );
  }
}

// -- one device ------------------------------------------------------------------------------------------------------

function selected(name) {
  drawing.select(name);
  showDetail();
}

function showDetail() {
  const row = rows.find((one) => one.name === table.current);
  if (row) detail.update(row);
  else detail.close();
  table.attach(detail.element);
}

async function control(name, verb) {
  if (verb === "restart" && !(await confirmed(name))) return;
  say(`${name}: ${verb} …`);
  try {
    const said = await ask(name, verb);
    say(`${name}: ${verb} done${said ? `; ${said}` : ""}`);
  } catch (error) {
    say(`${name}: ${verb} failed: ${error.message}`);
  }
}

function confirmed(name) {
  const dialog = byId("confirm");
  write(dialog.querySelector("p"), `Restart ${name}? Its connections are made anew.`);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function say(text) {
  write(byId("message"), text);
}

/** A key asks for what makes sense now. */
function controlCurrent(...wanted) {
  const row = rows.find((one) => one.name === table.current);
  if (!row) return;
  const verb = verbs(row.device.state).find((one) => wanted.includes(one));
  if (verb) control(row.name, verb);
}

// -- keys and buttons ------------------------------------------------------------------------------------------------

const help = byId("help");
byId("help-button").addEventListener("click", () => help.showModal());
byId("filter").addEventListener("input", (event) => table.filter(event.target.value));
byId("zoom").addEventListener("click", zoom);

function zoom() {
  const fits = byId("drawing").classList.toggle("fit");
  byId("zoom").setAttribute("aria-pressed", String(fits));
  drawing.arrange();
  if (fits) byId("drawing").parentElement.scrollIntoView();
}

/** Elsewhere arrows scroll. */
function inTable() {
  return document.activeElement?.matches("tr[data-device]") ?? false;
}

const keys = {
  j: () => table.move(1),
  ArrowDown: () => inTable() && table.move(1),
  k: () => table.move(-1),
  ArrowUp: () => inTable() && table.move(-1),
  s: () => table.sortByNext(),
  r: () => table.reverse(),
  "/": () => byId("filter").focus(),
  l: () => byId("log").focus(),
  f: zoom,
  t: () => detail.toggleTap(),
  "?": () => help.showModal(),
  Escape: () => table.leave(),
};
for (let digit = 1; digit <= 9; digit++) keys[digit] = () => table.sortByIndex(digit - 1);
if (isAllowed) {
  keys[" "] = () => controlCurrent("pause", "resume");
  keys.R = () => controlCurrent("restart");
}
listen(keys);
document.documentElement.dataset.ready = "yes";
