// The daemon's HTTP API, as docs/http-api.md describes it.

/** An answer other than success, with the explanation of the daemon. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? document.title ?? `the server answered ${status}`);
    this.status = status;
    this.code = document.code;
    this.causes = document.causes ?? [];
    this.hint = document.hint;
    this.document = document;
  }
}

/** Sends a request. Resolves to the JSON of the answer, or null without JSON. Rejects with a Problem, or a TypeError without an answer. */
export async function ask(method, path, body) {
  const request = { method, headers: { accept: "application/json" }, signal: AbortSignal.timeout(35_000) };
  if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const response = await fetch(`/api/v1${path}`, request);
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  const document = isJson ? await response.json() : null;
  if (!response.ok) throw new Problem(response.status, document ?? {});
  return document;
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}) => ask("POST", path, body);

/** Builds a path from segments that come from data. */
export const path = (...segments) => `/${segments.map((segment) => encodeURIComponent(segment)).join("/")}`;

/** The time between two signs of life of a tab. */
const ALIVE = 30_000;

/**
 * Listens to events. Calls `heard(name, data)` for each event, and `changed(connected)` when the connection
 * breaks or is restored. All tabs share one connection if the browser supports it.
 */
export function listen(url, heard, changed = () => {}) {
  const line = { address: `/api/v1${url}`, heard, changed, close: () => {} };
  if (typeof SharedWorker === "function") share(line);
  else hold(line);
  return { close: () => line.close() };
}

function share(line) {
  const worker = new SharedWorker("/events.js");
  const { port } = worker;
  const say = (message) => port.postMessage(message);
  const alive = setInterval(() => say({ url: line.address }), ALIVE);
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
  say({ url: line.address });
}

const NAMES = ["began", "progress", "log", "ended", "missed", "reloaded", "reload_failed", "stopping", "repository", "lagged"];

/** Opens a connection for this tab alone, while the tab is visible. */
function hold(line) {
  let source = null;
  const turn = () => {
    if (document.visibilityState !== "visible") {
      source?.close();
      source = null;
      return;
    }
    if (source) return;
    source = new EventSource(line.address);
    source.addEventListener("open", () => line.changed(true));
    source.addEventListener("error", () => line.changed(false));
    for (const name of NAMES) source.addEventListener(name, (event) => line.heard(name, JSON.parse(event.data)));
    // Events in between were missed.
    line.heard("lagged", {});
  };
  document.addEventListener("visibilitychange", turn);
  line.close = () => {
    document.removeEventListener("visibilitychange", turn);
    source?.close();
  };
  turn();
}
