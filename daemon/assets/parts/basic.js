// Pieces that every page shows.

import { html, useRef, useState } from "../html.js";

const MARKS = {
  good: "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Z",
  warn: "M6 1 11.5 11H.5Z",
  bad: "M1.5 1.5h9v9h-9Z",
  busy: "M6 1a5 5 0 1 0 5 5H6Z",
  "": "M6 2.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Zm0 1.4a2.1 2.1 0 1 1 0 4.2 2.1 2.1 0 0 1 0-4.2Z",
};

/** A state as a word, with a mark whose shape says the same as its colour. */
export function State({ tone = "", children }) {
  return html`<span class=${`state ${tone}`}><svg viewBox="0 0 12 12" width="10" height="10" aria-hidden="true"><path d=${MARKS[tone] ?? MARKS[""]} /></svg>${children}</span>`;
}

/** A state where it stands out: in a heading. */
export const Badge = ({ tone = "", children }) => html`<span class=${`badge ${tone}`}>${children}</span>`;

/** A problem, an Explanation of the API, or any error: what failed, why, and what to do. */
export function Trouble({ error }) {
  if (!error || error.status === 401) return null;
  const causes = error.causes ?? [];
  const hint = error.hint && html`<p>Hint: ${error.hint}</p>`;
  return html`<div class="note bad" role="alert">
    <p>${error.message ?? String(error)}</p>
    ${causes.length > 0 && html`<ul>${causes.map((cause) => html`<li>${cause}</li>`)}</ul>`}
    ${hint}
  </div>`;
}

/** Sentences that a person should read. */
export function Note({ tone = "warn", items }) {
  const shown = (items ?? []).filter(Boolean);
  if (shown.length === 0) return null;
  if (shown.length === 1) return html`<div class=${`note ${tone}`}><p>${shown[0]}</p></div>`;
  return html`<div class=${`note ${tone}`}><ul>${shown.map((item) => html`<li>${item}</li>`)}</ul></div>`;
}

/** Terms and what they are: `[term, description]`; those without a description are left out. */
export function Facts({ pairs }) {
  const shown = pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== false);
  return html`<dl class="facts">${shown.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A part of a page with a heading; `aside` stands next to the heading. */
export function Panel({ title, aside, children, id, bare = false }) {
  const heading = `${id}-heading`;
  return html`<section class="panel" id=${id} aria-labelledby=${heading}>
    <header><h2 id=${heading}>${title}</h2>${aside && html`<div class="aside">${aside}</div>`}</header>
    <div class=${bare ? "bare" : "body"}>${children}</div>
  </section>`;
}

/** Something long, shown when it is asked for. */
export const Fold = ({ summary, children, open = false }) => html`<details open=${open}><summary>${summary}</summary>${children}</details>`;

export const Quiet = ({ children }) => html`<p class="quiet">${children}</p>`;

/** A button that runs one action at a time, and shows next to it why an action failed. */
export function Action({ act, children, id, first = false, danger = false, link = false, label, disabled = false }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const button = useRef(null);
  const click = async () => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (error) {
      setError(error);
    } finally {
      setBusy(false);
    }
  };
  // A disabled button would lose the focus.
  return html`<button type="button" ref=${button} id=${id} class=${first ? "first" : danger ? "danger" : link ? "link" : ""} aria-label=${label} aria-busy=${busy} disabled=${disabled} onClick=${() => busy || click()}>${children}</button>
    ${error && html`<${Trouble} error=${error} />`}`;
}

/** What is shown until an answer is there: the error, or that it is being loaded. */
export function Pending({ of, children }) {
  const failed = of.map((each) => each.error).find(Boolean);
  if (of.every((each) => each.data)) return html`${failed && html`<${Trouble} error=${failed} />`}${children()}`;
  return failed ? html`<${Trouble} error=${failed} />` : html`<p class="quiet loading">Loading…</p>`;
}

/** The way to a page: `[words, address]`, the last without an address. */
export function Crumbs({ way }) {
  return html`<nav class="crumbs" aria-label="Breadcrumbs"><ol>${way.map(([words, href]) => html`<li>${href ? html`<a href=${href}>${words}</a>` : html`<span aria-current="page">${words}</span>`}</li>`)}</ol></nav>`;
}
