// Server-sent events through a server that goes away and comes back; and the change feed, while the page is open.

const KEPT = 300;
const PATIENCE = 2000;

/** Follow a stream: `on` has a function for each name of an event, and is told `open` and `closed`. Call what is
 * returned to end that. Without `background` a page that nobody sees does not follow: a browser has six connections to a
 * server, for all of its tabs. */
export function stream(path, on, { background = false } = {}) {
  let source = null;
  let timer = 0;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => on.open?.();
    source.onerror = () => {
      // A browser tries again by itself only while it thinks that the server is there.
      source.close();
      on.closed?.();
      timer = setTimeout(open, PATIENCE);
    };
    for (const [name, call] of Object.entries(on)) {
      if (name !== "open" && name !== "closed") source.addEventListener(name, (event) => call(JSON.parse(event.data)));
    }
  };
  const close = () => {
    clearTimeout(timer);
    source.close();
  };
  const seen = () => {
    close();
    if (document.visibilityState === "visible") open();
  };
  open();
  if (!background) document.addEventListener("visibilitychange", seen);
  return () => {
    document.removeEventListener("visibilitychange", seen);
    close();
  };
}

/** Tells `change` (an event), `gap` (what happened meanwhile is not known: ask again) and `status`. */
class Live extends EventTarget {
  changes = [];
  connected = null;
  since = Date.now();

  start() {
    stream("watch", {
      open: () => this.#is(true),
      closed: () => this.#is(false),
      message: (event) => this.#take(event),
      lost: () => this.dispatchEvent(new CustomEvent("gap")),
    }, { background: true });
  }

  #is(connected) {
    if (this.connected === connected) return;
    const again = this.connected === false && connected;
    this.connected = connected;
    this.since = Date.now();
    this.dispatchEvent(new CustomEvent("status", { detail: { connected, again } }));
    if (again) this.dispatchEvent(new CustomEvent("gap"));
  }

  #take(event) {
    event.time = Date.now();
    this.changes.unshift(event);
    this.changes.length = Math.min(this.changes.length, KEPT);
    this.dispatchEvent(new CustomEvent("change", { detail: event }));
  }
}

export const live = new Live();
