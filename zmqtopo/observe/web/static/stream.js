// The one event stream of the page. It comes back by itself, and says what is known of it while it is away.

const SILENCE = 5000; // ms: an event comes each second, so five without one are a connection that hangs
const AGAIN = 2000; // ms, as the server asks for with `retry`

/**
 * Calls `onEvent` with each event and `onState` with `live`, `lost`, `ended`, or `silent` and
 * the reason.
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
  #ended = false;

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
    source.addEventListener("ended", () => this.#end());
    source.addEventListener("error", () => {
      if (!this.#ended) this.#onState("lost");
      if (source.readyState === EventSource.CLOSED) this.#openIn(AGAIN);
    });
    this.#openIn(SILENCE);
  }

  #openIn(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#ended) this.#onState("lost");
      this.#open();
    }, milliseconds);
  }

  #received(message) {
    this.#openIn(SILENCE);
    const event = JSON.parse(message.data);
    this.#ended = false;
    this.#onState("live");
    this.#onEvent(event);
  }

  /** The server is there, but not what it asks. */
  #unreachable(message) {
    this.#openIn(SILENCE);
    this.#onState("silent", JSON.parse(message.data).error);
  }

  /** The topology has been stopped. The stream goes on looking, since it may be started again. */
  #end() {
    this.#ended = true;
    this.#onState("ended");
  }
}
