// Elements whose texts are texts, wherever they come from.

/** An element with attributes and children; strings among the children become text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Set a text where it is another one. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
