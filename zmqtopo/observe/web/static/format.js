// Numbers and times as people read them, the same as in `zmqtopo ps` and `zmqtopo top`.

const UNITS = ["", "k", "M", "G", "T"];

/** `12`, `3.4k`, `56M`: at most four characters. */
export function number(value) {
  let rest = value;
  for (const unit of UNITS) {
    if (rest < 999.5 || unit === "T") {
      return (unit && unit !== "T" && rest < 9.95 ? rest.toFixed(1) : rest.toFixed(0)) + unit;
    }
    rest /= 1000;
  }
  return "";
}

/** A rate a second; slow ones keep a digit, so that one message in five seconds is not none. */
export function rate(value) {
  if (value === null) return "-";
  if (value > 0 && value < 9.95) return value < 0.05 ? "<0.1" : value.toFixed(1);
  return number(value);
}

/** A size in bytes, by thousands. */
export function size(value) {
  if (value === null) return "-";
  return value < 999.5 ? `${value.toFixed(0)} B` : `${number(value)}B`.replace(/(\d)([kMGT])/, "$1 $2");
}

export function percent(value) {
  if (value === null) return "-";
  return value > 0 && value < 0.95 ? value.toFixed(1) : value.toFixed(0);
}

const SPANS = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];

/** `3d 4h`, `12s`: the two largest units of a time in seconds. */
export function duration(seconds) {
  let left = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [length, unit] of SPANS) {
    if (left >= length || (unit === "s" && parts.length === 0)) {
      parts.push(`${Math.floor(left / length)}${unit}`);
      left %= length;
    }
  }
  return parts.slice(0, 2).join(" ");
}

/** How long ago a Unix time is. */
export function ago(time, now) {
  if (!time) return "never";
  const seconds = now - time;
  return seconds < 2 ? "now" : duration(seconds);
}
