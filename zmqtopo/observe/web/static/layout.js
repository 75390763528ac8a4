// A worker: lays out a drawing with Graphviz, so that the page never stands still meanwhile.

import { instance } from "./viz.js";

const viz = instance();

self.addEventListener("message", async ({ data: dot }) => {
  try {
    const drawn = (await viz).render(dot, { format: "svg" });
    const errors = drawn.errors.filter((error) => error.level === "error").map((error) => error.message);
    self.postMessage(drawn.status === "success" ? { svg: drawn.output } : { error: errors.join("; ") });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
});
