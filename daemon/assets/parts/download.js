// Downloads: the daemon makes an address that works once, and the browser stores what comes from it.

import { post } from "../api.js";
import { bytes, percent } from "../format.js";
import { html, useRef, useState } from "../html.js";
import { announce } from "../store.js";
import { Action, Trouble } from "./basic.js";

/** Asks for an address: `{ url, name, bytes, content_bytes }`. */
const ticket = (wanted) => post("/downloads", wanted);

/** Lets the browser download, which shows in its own list how far it is. */
function download({ url, name }) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

/** A button for one attachment. */
export function AttachmentDownload({ of, file }) {
  const act = async () => download(await ticket({ ...of, what: "attachment", attachment: file.id }));
  return html`<${Action} link act=${act} label=${`Download ${file.name}`}>${file.name}<//>`;
}

/**
 * The backup as a zip of Odoo's format: `[button, progress]`. Where the browser lets a page write a file, the page shows how far
 * it is; elsewhere the browser does.
 */
export function useZip(of) {
  const [state, setState] = useState(null);
  const [error, setError] = useState(null);
  const stop = useRef(null);
  const act = async () => {
    setError(null);
    const name = `${of.instance}-${of.backup}.zip`;
    if (typeof window.showSaveFilePicker !== "function") {
      download(await ticket({ ...of, what: "zip" }));
      return announce("The browser downloads the zip");
    }
    const file = await window.showSaveFilePicker({ suggestedName: name }).catch((error) => (error.name === "AbortError" ? null : Promise.reject(error)));
    if (!file) return undefined;
    stop.current = new AbortController();
    try {
      await save(file, await ticket({ ...of, what: "zip" }), stop.current.signal, setState);
      announce("The zip was downloaded");
    } catch (error) {
      setState(null);
      if (error.name !== "AbortError") setError(error);
    }
    return undefined;
  };
  const isRunning = state && !state.done;
  const button = html`<${Action} id="zip" act=${act} disabled=${isRunning}>Download Odoo zip<//>`;
  const bar = isRunning && html`<progress max=${state.total} value=${Math.min(state.total, state.bytes)} aria-label="Download of the zip"></progress><button type="button" class="small" onClick=${() => stop.current.abort()}>Cancel download</button>`;
  const progress = html`${state && html`<div class="note running" id="zip-progress" role="group" aria-label="Download"><div class="tasks">
      <div class="line"><span>${state.done ? "Downloaded" : "Downloading"} ${state.name}</span><span class="quiet">${words(state)}</span></div>
      ${bar}
    </div></div>`}
    <${Trouble} error=${error} />`;
  return [button, progress];
}

function words({ bytes: got, total, speed, done }) {
  if (done) return bytes(got);
  return `${bytes(got)}, about ${percent(Math.min(got, total * 0.99), total)}${speed ? `, ${bytes(speed)}/s` : ""}`;
}

/** Writes what comes from a download into a file of the reader's choice. */
async function save(file, { url, bytes: size, content_bytes: content }, signal, report) {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const target = await file.createWritable();
  const began = performance.now();
  // The length of a zip is known only at its end. Its content is an upper bound for what does not compress.
  const total = size ?? content ?? 0;
  let got = 0;
  let said = 0;
  const count = new TransformStream({
    transform(chunk, controller) {
      got += chunk.byteLength;
      controller.enqueue(chunk);
      if (performance.now() - said < 250) return;
      said = performance.now();
      report({ name: file.name, bytes: got, total, speed: (got / (said - began)) * 1000 });
    },
  });
  await response.body.pipeThrough(count).pipeTo(target, { signal });
  report({ name: file.name, bytes: got, total, done: true });
}
