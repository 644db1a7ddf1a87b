// The daemon's events, once for all tabs: by a shared worker; without one, by the visible tab that holds a lock, which tells
// the others; without locks, which browsers keep from plain HTTP, by each visible tab.

const STREAM = "/api/v1/events";
const NAMES = ["began", "progress", "log", "ended", "missed", "reloaded", "reload_failed", "stopping", "repository", "lagged"];
/** The time between two signs of life of a tab. */
const ALIVE = 30_000;

/**
 * Listens to events. Calls `heard(name, data)` for each event, and `changed(connected)` when the connection
 * breaks or is restored. Returns a function that ends it.
 */
export function listen(heard, changed) {
  const line = { heard, changed, close: () => {} };
  if (typeof SharedWorker === "function") share(line);
  else if (navigator.locks && typeof BroadcastChannel === "function") lead(line);
  else hold(line);
  return () => line.close();
}

function share(line) {
  const worker = new SharedWorker("/worker.js");
  const { port } = worker;
  const say = (message) => port.postMessage(message);
  const alive = setInterval(() => say({ url: STREAM }), ALIVE);
  const leave = () => {
    clearInterval(alive);
    window.removeEventListener("pagehide", leave);
    say({ bye: true });
    port.close();
  };
  port.onmessage = ({ data }) => {
    if (data.name) line.heard(data.name, JSON.parse(data.data));
    else line.changed(data.connected);
  };
  // The script could not be loaded, or failed.
  worker.onerror = () => {
    leave();
    hold(line);
  };
  window.addEventListener("pagehide", leave);
  // A page from the cache of the browser shows an old state.
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());
  line.close = leave;
  say({ url: STREAM });
}

/** Opens the stream in this tab while it is visible and no other tab has it, and passes on what it says. */
function lead(line) {
  const channel = new BroadcastChannel("odoo-backup");
  const tell = (name, data) => {
    channel.postMessage({ name, data });
    line.heard(name, data);
  };
  channel.onmessage = ({ data: { name, data, connected } }) => (name ? line.heard(name, data) : line.changed(connected));
  const turned = (connected) => {
    channel.postMessage({ connected });
    line.changed(connected);
  };
  let visit = null;
  const turn = () => {
    const isVisible = document.visibilityState === "visible";
    if (isVisible === Boolean(visit)) return;
    visit?.abort();
    visit = null;
    if (!isVisible) return;
    const { signal } = (visit = new AbortController());
    // Events in between were missed.
    line.heard("lagged", {});
    const untilHidden = (source) => new Promise((done) => signal.addEventListener("abort", () => done(source.close())));
    navigator.locks.request("odoo-backup-events", { signal }, () => untilHidden(stream(tell, turned))).catch(() => {});
  };
  document.addEventListener("visibilitychange", turn);
  line.close = () => {
    document.removeEventListener("visibilitychange", turn);
    visit?.abort();
    channel.close();
  };
  turn();
}

/** Opens a connection for this tab alone, while the tab is visible. */
function hold(line) {
  let source = null;
  const turn = () => {
    source?.close();
    source = null;
    if (document.visibilityState !== "visible") return;
    source = stream(line.heard, line.changed);
    line.heard("lagged", {});
  };
  document.addEventListener("visibilitychange", turn);
  line.close = () => {
    document.removeEventListener("visibilitychange", turn);
    source?.close();
  };
  turn();
}

function stream(heard, changed) {
  const source = new EventSource(STREAM);
  source.addEventListener("open", () => changed(true));
  source.addEventListener("error", () => changed(false));
  for (const name of NAMES) source.addEventListener(name, (event) => heard(name, JSON.parse(event.data)));
  return source;
}
