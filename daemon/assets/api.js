// The daemon's HTTP API, as docs/http-api.md describes it.

/** An answer that is no success, with what the daemon says of it. */
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

/** Asks, and resolves to the answer's JSON, or null where it has none. Rejects with a Problem, or a TypeError where nobody answers. */
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

/** A path of segments that come from data. */
export const path = (...segments) => `/${segments.map((segment) => encodeURIComponent(segment)).join("/")}`;

const NAMES = ["began", "progress", "log", "ended", "missed", "reloaded", "reload_failed", "stopping", "repository", "lagged"];

/** Listens to what happens. `heard(name, data)` is called for each event, `changed(connected)` when the line breaks or is there again. */
export function listen(url, heard, changed = () => {}) {
  const source = new EventSource(`/api/v1${url}`);
  source.addEventListener("open", () => changed(true));
  source.addEventListener("error", () => changed(false));
  for (const name of NAMES) source.addEventListener(name, (event) => heard(name, JSON.parse(event.data)));
  return source;
}
