// What one event says, compared with the one before it: a row a device, as the table and the drawing show it.

export const FLOWS = ["in_to_out", "out_to_in", "mon"];

const FULL = { in_to_out: "out", out_to_in: "in", mon: "mon" };

/** Sign and tone of each state: a state is told by word and sign, and by colour only beside them. */
const STATES = {
  running: ["●", "good"],
  starting: ["◌", "wait"],
  paused: ["‖", "warn"],
  backoff: ["↻", "bad"],
  stopping: ["◍", "wait"],
  stopped: ["■", "idle"],
  failed: ["✖", "bad"],
};

/** Compares each event with the last one. */
export class Rates {
  #before = new Map();
  #time = null;

  /** The rows of an event; rates are null where there is nothing to compare with. */
  rows(event) {
    const seconds = this.#time === null ? 0 : event.time - this.#time;
    const rows = event.devices.map((device) => row(device, this.#before.get(device.name), seconds, event.time));
    this.#before = new Map(event.devices.map((device) => [device.name, device]));
    this.#time = event.time;
    return rows;
  }

  /** Forget what was: after a gap in the stream its rates would be an average over the gap. */
  forget() {
    this.#before.clear();
    this.#time = null;
  }
}

function row(device, before, seconds, now) {
  const flows = {};
  for (const name of FLOWS) flows[name] = flow(device.counters[name], before?.counters[name], seconds);
  const { in_to_out: forth, out_to_in: back, mon } = flows;
  const waiting = device.state === "running" ? FLOWS.filter((name) => flows[name].waiting) : [];
  const [sign, tone] = STATES[device.state] ?? ["?", "warn"];
  const full = waiting.length ? `${waiting.map((name) => FULL[name]).join(" and ")} full` : "";
  const short = device.warning ? "out of open files" : "";
  return {
    name: device.name,
    device,
    flows,
    now,
    sign: waiting.length || short ? "▲" : sign,
    tone: waiting.length || short ? "warn" : tone,
    state: [device.state, full, short].filter(Boolean).join(", "),
    brief: full || short || device.state,
    reason: reason(device, full),
    in: forth.rate,
    out: back.rate,
    bytes: forth.bytes === null ? null : forth.bytes + back.bytes,
    blocked: forth.blocked === null ? null : Math.max(forth.blocked, back.blocked, mon.blocked),
    dropped: forth.dropped + back.dropped + mon.dropped,
    exact: forth.exact && back.exact && mon.exact,
    peers: peers(device.peers),
    cpu: cpu(device, before, seconds),
    rss: device.rss ?? null,
    last: Math.max(forth.last ?? 0, back.last ?? 0) || null,
  };
}

function flow(now, before, seconds) {
  // A device whose counters are smaller than before has begun anew.
  const known = before !== undefined && seconds > 0 && now.messages >= before.messages;
  const difference = (key) => (known ? Math.max(0, now[key] - before[key]) / seconds : null);
  return {
    rate: difference("messages"),
    bytes: difference("bytes"),
    blocked: known ? Math.min(100, difference("blocked_time") * 100) : null,
    dropped: now.dropped,
    exact: now.dropped_exact !== false,
    waiting: now.waiting,
    last: now.last,
    messages: now.messages,
  };
}

/** Why a device does not do its work; empty where it does. */
function reason(device, full) {
  if (device.state === "paused") return "paused by an operator; messages wait";
  if (device.state !== "running") return lastError(device);
  return [full && `nobody takes what waits at ${full.replace(" full", "")}`, device.warning].filter(Boolean).join("; ");
}

/** The last error of a device, without its name, which stands beside it. */
export function lastError({ name, error }) {
  if (!error) return "";
  return [`${name}: `, `${name}.`].reduce((text, prefix) => (text.startsWith(prefix) ? text.slice(prefix.length) : text), error);
}

function peers(counts) {
  if (!counts) return null;
  return ["in", "out", "mon"].map((role) => counts[role]).filter((count) => count !== undefined && count !== null);
}

/** Percent of a core, from seconds of processor time of its thread. */
function cpu(device, before, seconds) {
  if (typeof device.cpu !== "number" || typeof before?.cpu !== "number" || seconds <= 0) return null;
  return device.thread === before.thread ? ((device.cpu - before.cpu) / seconds) * 100 : null;
}
