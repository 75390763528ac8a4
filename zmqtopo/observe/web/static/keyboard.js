// Single keys, the same as in `zmqtopo top`. They do nothing while somebody writes or holds Ctrl, Alt or Meta.

/** Calls what `keys` has for a key; what returns false leaves the key to the browser. */
export function listen(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const { target } = event;
    if (document.querySelector("dialog[open]")) return; // a dialog has its own keys
    if (target.matches("input, textarea, select")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    // Space and Enter press the button that has the focus.
    if (target.matches("button, a, summary") && (event.key === " " || event.key === "Enter")) return;
    const act = keys[event.key];
    if (act && act() !== false) event.preventDefault();
  });
}
