// Takes over a drawing of Graphviz element by element. What is not in these lists stays out, whatever the text holds.

const SVG = "http://www.w3.org/2000/svg";

const ELEMENTS = new Set(["svg", "g", "title", "path", "polygon", "polyline", "ellipse", "text"]);

const ATTRIBUTES = new Set([
  "viewBox", "id", "class", "transform", "points", "d", "x", "y", "cx", "cy", "rx", "ry", "fill", "stroke",
  "stroke-width", "stroke-dasharray", "text-anchor", "font-size", "font-weight", "font-family",
]);

/** The `svg` element of a text that Graphviz has written. Throws where it is not SVG. */
export function takeOver(text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (parsed.localName !== "svg") throw new Error("Graphviz has not written SVG");
  return copy(parsed);
}

function copy(element) {
  const made = document.createElementNS(SVG, element.localName);
  for (const { name, value } of element.attributes) {
    if (ATTRIBUTES.has(name)) made.setAttribute(name, value);
  }
  for (const child of element.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) made.append(child.data);
    else if (child.localName === "a") made.append(...link(child));
    else if (ELEMENTS.has(child.localName)) made.append(copy(child));
  }
  return made;
}

/** What is in a link, with the link's tooltip as its title. Nothing in the drawing leads anywhere. */
function link(element) {
  const tooltip = element.getAttribute("xlink:title") ?? "";
  const inside = [...element.children].filter((child) => ELEMENTS.has(child.localName)).map(copy);
  const group = document.createElementNS(SVG, "g");
  const title = document.createElementNS(SVG, "title");
  title.textContent = tooltip;
  group.append(title, ...inside);
  return [group];
}
