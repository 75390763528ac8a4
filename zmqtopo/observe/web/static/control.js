// What an operator can do to a device, where the server allows it.

const TIMEOUT = 30_000; // ms; a restart waits for the device's stop_timeout

export const isAllowed = document.documentElement.dataset.control === "yes";

/** The verbs that make sense in a state. */
export function verbs(state) {
  if (!isAllowed) return [];
  if (state === "running") return ["pause", "restart"];
  if (state === "paused") return ["resume", "restart"];
  return state === "stopping" ? [] : ["restart"];
}

/** Ask for it. Resolves to what the server said; rejects with its reason. */
export async function ask(device, verb) {
  const response = await fetch(`api/devices/${encodeURIComponent(device)}/${verb}`, {
    method: "POST",
    headers: { "X-Zmqtopo": "1" },
    signal: AbortSignal.timeout(TIMEOUT),
  });
  const said = await words(response);
  if (!response.ok) throw new Error(said || `${response.status} ${response.statusText}`);
  return said;
}

async function words(response) {
  const text = await response.text();
  try {
    const answer = JSON.parse(text);
    const said = answer.errors ?? answer.error ?? answer.detail ?? "";
    return Array.isArray(said) ? said.join("; ") : String(said);
  } catch {
    return text.trim();
  }
}
