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

const BASE = "/api/v1";

/** Called when the daemon wants a sign-in. */
let refused = () => {};
export const onRefused = (callback) => { refused = callback; };

/** Sends a request. Resolves to the JSON of the answer, or null without JSON. Rejects with a Problem, or a TypeError without an answer. */
export async function ask(method, path, body) {
  const request = { method, headers: { accept: "application/json" }, signal: AbortSignal.timeout(35_000) };
  if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const response = await fetch(BASE + path, request);
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  const document = isJson ? await response.json() : null;
  if (response.ok) return document;
  if (response.status === 401 && path !== "/session") refused();
  throw new Problem(response.status, document ?? {});
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}) => ask("POST", path, body);

/** Builds a path from segments that come from data. */
export const path = (...segments) => `/${segments.map((segment) => encodeURIComponent(segment)).join("/")}`;

/** The query of those parameters that have a value. */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
}

/** The address of an answer that the browser itself fetches: a download. */
export const address = (path) => BASE + path;
