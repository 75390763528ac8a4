// Puts the parts of a drawing that nothing connects into columns. Graphviz stacks all of them in one, and its own
// packing (pack, packmode) loses the labels of edges.

const GAP = 24; // points between two parts
const COLUMNS = 8; // at most

/** The parts of a drawing: the elements of each, and the box around them. */
export function partsOf(svg) {
  const nodes = new Map();
  for (const element of svg.querySelectorAll("g.node")) nodes.set(name(element), new Part(element));
  for (const element of svg.querySelectorAll("g.edge")) {
    const [left, right] = ends(element.id, nodes);
    if (!left) continue;
    left.root.add(element);
    if (right && right.root !== left.root) left.root.join(right.root);
  }
  for (const element of svg.querySelectorAll("g.cluster")) {
    const frame = element.getBBox();
    const inside = [...nodes.values()].filter((part) => contains(frame, part.place));
    inside[0]?.root.add(element);
    for (const part of inside.slice(1)) if (part.root !== inside[0].root) inside[0].root.join(part.root);
  }
  return [...new Set([...nodes.values()].map((part) => part.root))].sort((a, b) => a.box.y - b.box.y || a.box.x - b.box.x);
}

/**
 * Move the parts into as many columns as use the room best, and say how large all of it is, in points.
 *
 * `room` has the width and height of the window in points, `least`, the scale below which nothing can be read, and
 * `fits`, whether all is to be seen at once.
 */
export function arrange(parts, room) {
  let best = null;
  for (let count = 1; count <= Math.min(COLUMNS, parts.length); count++) {
    const columns = distribute(parts, count);
    const width = columns.reduce((sum, column) => sum + column.width + GAP, -GAP);
    const height = Math.max(...columns.map((column) => column.height));
    const scale = room.fits ? Math.min(room.width / width, room.height / height) : Math.min(room.width / width, 1);
    const cost = room.fits ? -scale : count > 1 && scale < room.least ? Infinity : height * Math.max(scale, room.least);
    if (best === null || cost < best.cost) best = { columns, width, height, cost };
    if (!room.fits && best.cost < room.height * 0.7) break; // it is seen without scrolling
  }
  let x = 0;
  for (const column of best?.columns ?? []) {
    let y = 0;
    for (const part of column.parts) {
      part.moveTo(x, y);
      y += part.box.height + GAP;
    }
    x += column.width + GAP;
  }
  return best ?? { width: 0, height: 0 };
}

/** The parts in their order, in so many columns of about the same height. */
function distribute(parts, count) {
  const total = parts.reduce((sum, part) => sum + part.box.height + GAP, 0);
  const columns = [];
  let before = 0;
  for (const part of parts) {
    const index = Math.min(count - 1, Math.floor(((before + part.box.height / 2) / total) * count));
    columns[index] ??= { parts: [], width: 0, height: -GAP };
    columns[index].parts.push(part);
    columns[index].width = Math.max(columns[index].width, part.box.width);
    columns[index].height += part.box.height + GAP;
    before += part.box.height + GAP;
  }
  return columns.filter(Boolean);
}

class Part {
  #parent = null;

  constructor(element) {
    this.place = element.getBBox();
    this.box = this.place;
    this.elements = [element];
  }

  get root() {
    return this.#parent ? this.#parent.root : this;
  }

  add(element) {
    this.elements.push(element);
    this.box = around(this.box, element.getBBox());
  }

  join(other) {
    other.#parent = this;
    this.elements.push(...other.elements);
    this.box = around(this.box, other.box);
  }

  moveTo(x, y) {
    const move = `translate(${(x - this.box.x).toFixed(1)} ${(y - this.box.y).toFixed(1)})`;
    for (const element of this.elements) element.setAttribute("transform", move);
  }
}

function name(element) {
  return element.querySelector("title").textContent;
}

/** The parts at the two ends of an edge, whose id is `LEFT>RIGHT#N`; a name may have a `>` in it. */
function ends(id, nodes) {
  const text = id.replace(/#\d+$/, "");
  const find = (end) => nodes.get(end) ?? nodes.get(end.replace(/\.(in|out|mon)$/, ""));
  for (let at = text.indexOf(">"); at >= 0; at = text.indexOf(">", at + 1)) {
    const found = [find(text.slice(0, at)), find(text.slice(at + 1))];
    if (found[0] && found[1]) return found;
  }
  return [];
}

function contains(frame, box) {
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  return x > frame.x && x < frame.x + frame.width && y > frame.y && y < frame.y + frame.height;
}

function around(a, b) {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}
