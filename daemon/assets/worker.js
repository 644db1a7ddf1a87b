// The event stream of the daemon for all tabs of a browser: a shared worker. A browser opens at most six connections to a
// server. With a stream for each tab, the seventh tab would stay blank.

const NAMES = ["began", "progress", "log", "ended", "missed", "reloaded", "reload_failed", "stopping", "repository", "lagged"];
/** How long a tab may be silent. The browser wakes a tab in the background once a minute. */
const SILENCE = 150_000;
/** The pause after the daemon refused a connection. */
const PAUSE = 5_000;

/** The tabs that listen, and when each sent its last sign of life. */
const tabs = new Map();
let source = null;
let connected = null;
let url = null;
let waiting = null;

const tell = (message) => {
  for (const port of tabs.keys()) port.postMessage(message);
};

function turned(state) {
  connected = state;
  tell({ connected });
}

function open() {
  if (source || waiting || tabs.size === 0) return;
  source = new EventSource(url);
  source.addEventListener("open", () => turned(true));
  source.addEventListener("error", () => {
    turned(false);
    // Otherwise the browser reconnects by itself.
    if (source?.readyState === EventSource.CLOSED) {
      source = null;
      waiting = setTimeout(() => {
        waiting = null;
        open();
      }, PAUSE);
    }
  });
  for (const name of NAMES) source.addEventListener(name, (event) => tell({ name, data: event.data }));
}

function left(port) {
  tabs.delete(port);
  port.close();
  if (tabs.size > 0) return;
  source?.close();
  source = null;
  connected = null;
}

self.addEventListener("connect", ({ ports: [port] }) => {
  port.addEventListener("message", ({ data }) => {
    if (data.bye) return left(port);
    const isNew = !tabs.has(port);
    tabs.set(port, Date.now());
    url = data.url;
    if (isNew && connected !== null) port.postMessage({ connected });
    // A tab that has just signed in reconnects at once.
    if (isNew && waiting) {
      clearTimeout(waiting);
      waiting = null;
    }
    open();
  });
  port.start();
});

setInterval(() => {
  for (const [port, heard] of tabs) if (Date.now() - heard > SILENCE) left(port);
}, 30_000);
