// The one event stream of the page. It comes back by itself, and says what is known of it while it is away.

const SILENCE = 8000; // ms: an event comes each second, and of a topology that does not answer after five
const AGAIN = 2000; // ms, as the server asks for with `retry`

/**
 * Calls `onEvent` with each event and `onState` with `live`, `lost`, `ended` where nobody listens any more, or `silent`
 * and the reason where the server is there and the topology does not answer.
 *
 * EventSource connects again after a broken connection, but not after an answer other than 200, such as a proxy gives
 * while the server restarts, and it does not notice one that stays open in silence. Both are dealt with here.
 */
export class Stream {
  #url;
  #onEvent;
  #onState;
  #source = null;
  #timer = 0;
  #isLive = false;

  constructor(url, onEvent, onState) {
    this.#url = url;
    this.#onEvent = onEvent;
    this.#onState = onState;
    this.#open();
  }

  #open() {
    this.#source?.close();
    const source = new EventSource(this.#url);
    this.#source = source;
    source.addEventListener("message", (message) => this.#received(message));
    source.addEventListener("unreachable", (message) => this.#unreachable(message));
    source.addEventListener("error", () => {
      this.#lost();
      if (source.readyState === EventSource.CLOSED) this.#openIn(AGAIN);
    });
    this.#openIn(SILENCE);
  }

  #openIn(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#lost();
      this.#open();
    }, milliseconds);
  }

  #received(message) {
    this.#openIn(SILENCE);
    const event = JSON.parse(message.data);
    this.#isLive = true;
    this.#onState("live");
    this.#onEvent(event);
  }

  /** The server is there, but not what it asks. */
  #unreachable(message) {
    this.#openIn(SILENCE);
    this.#onState("silent", JSON.parse(message.data).error);
  }

  /**
   * Find out whether anybody listens. The supervisor does as long as the topology runs, also while no server takes the
   * connection; after that it is refused.
   */
  async #lost() {
    if (this.#isLive) this.#onState("lost");
    this.#isLive = false;
    let state = "lost";
    try {
      await fetch("livez", { cache: "no-store", signal: AbortSignal.timeout(AGAIN) });
    } catch (error) {
      if (error.name !== "TimeoutError" && navigator.onLine) state = "ended";
    }
    if (!this.#isLive) this.#onState(state);
  }
}
