// All instances: totals, what needs attention, what runs, and a table, or cards where there are few.

import { bytes, count, plural } from "../format.js";
import { html, useEffect, useMemo, useState } from "../html.js";
import { Note, Panel, Pending, State, Trouble } from "../parts/basic.js";
import { Cards } from "../parts/cards.js";
import { InstanceTable } from "../parts/instances.js";
import { Problems } from "../parts/problems.js";
import { RunState, progressOf } from "../parts/run.js";
import { useLive, useResource } from "../store.js";
import { STATES, stateOf, to, toneOf, what } from "../state.js";
import { When } from "../time.js";

/** Fewer instances are shown as cards. */
const FEW = 10;
/** Runs that are shown before the table. */
const MOST_RUNS = 6;

/** What the reader searched for, kept while other pages are shown. */
const kept = { text: "", state: null };

const changes = (name) => !["log", "progress"].includes(name);

export function Overview() {
  const overview = useResource("/overview", changes);
  const status = useResource("/status", changes);
  const live = useLive(status.data?.runs);
  useEffect(() => { document.title = "Overview – odoo-backup"; }, []);
  return html`<h1 class="unseen">Overview</h1>
    <${Pending} of=${[overview, status]}>${() => html`<${Content} overview=${overview.data} status=${status.data} live=${live} />`}<//>`;
}

function Content({ overview: { instances, totals }, status, live }) {
  const [text, setText] = useState(kept.text);
  const [state, setState] = useState(kept.state);
  kept.text = text;
  kept.state = state;
  const all = useMemo(() => instances.map((instance) => ({ instance, state: stateOf(instance) })), [instances]);
  const busy = new Set([...live.values()].map((run) => run.instance));
  const wanted = text.trim().toLowerCase();
  const isShown = (row) => !state || (state === "running" ? busy.has(row.instance.name) : row.state === state);
  const rows = all.filter((row) => isShown(row) && (!wanted || row.instance.name.toLowerCase().includes(wanted)));
  const few = all.length < FEW;
  const shown = rows.length === all.length ? plural(all.length, "instance") : `${count(rows.length)} of ${plural(all.length, "instance")}`;
  const aside = html`<span role="status">${shown}</span><${Search} text=${text} onText=${setText} />`;
  const { repository } = status;
  return html`
    <${Totals} all=${all} totals=${totals} running=${busy.size} state=${state} onState=${few ? null : setState} />
    <${Trouble} error=${repository.error} />
    <${Trouble} error=${status.state_error} />
    <${Note} items=${status.notifiers.map((notifier) => notifier.problem)} />
    ${!few && html`<${Problems} all=${all} onState=${setState} />`}
    ${!few && live.size > 0 && html`<${Running} live=${live} />`}
    ${few
      ? html`<section aria-labelledby="instances-heading"><h2 id="instances-heading" class="unseen">Instances</h2><${Cards} rows=${all} live=${live} /></section>`
      : html`<${Panel} id="instances" title="Instances" aside=${aside} bare><${InstanceTable} rows=${rows} live=${live} empty="No instance matches." /><//>`}
    ${all.length === 0 && html`<p>The configuration has no instances.</p>`}
    <p class="quiet">${repository.refreshed_at ? html`Repository ${repository.location}, last read <${When} at=${repository.refreshed_at} />.` : "The repository has not been read yet."}</p>
  `;
}

function Search({ text, onText }) {
  const pressed = (event) => {
    if (event.key !== "Escape") return;
    onText("");
    event.target.blur();
  };
  return html`<div class="search"><input type="search" id="search" value=${text} aria-label="Search instances" placeholder="Search instances ( / )" onInput=${(event) => onText(event.target.value)} onKeyDown=${pressed} /></div>`;
}

/** One line: how many instances are how, what ran, what is stored and what comes next. With `onState`, a state is a filter. */
function Totals({ all, totals, running, state, onState }) {
  const counts = new Map(STATES.map(([word]) => [word, all.filter((row) => row.state === word).length]));
  counts.set("running", running);
  const total = (word, tone) => {
    const number = counts.get(word);
    // The words that operators look for are always there, others when they apply.
    if (number === 0 && ["unknown", "new"].includes(word)) return null;
    const label = html`<${State} tone=${number > 0 ? tone : ""}>${count(number)} ${word}<//>`;
    if (!onState) return html`<span class="total">${label}</span>`;
    return html`<button type="button" id=${`total-${word}`} aria-pressed=${state === word} disabled=${number === 0 && state !== word} onClick=${() => onState(state === word ? null : word)}>${label}</button>`;
  };
  const { last_day: day, next } = totals;
  return html`<div class="totals" role="group" aria-label="Totals">
    ${["ok", "warning", "failed", "stale", "new", "unknown"].map((word) => total(word, toneOf(word)))}
    ${total("running", "busy")}
    <div class="rest">
      <span>24 hours: <b>${plural(day.runs, "run")}</b>, ${day.failed > 0 ? html`<span class="state bad">${count(day.failed)} failed</span>` : "none failed"}</span>
      <span title=${plural(totals.backups, "backup")}>stored: <b>${bytes(totals.stored_bytes)}</b></span>
      <span>next: ${next ? html`<a href=${to.instance(next.instance)}>${next.instance}</a> <b><${When} at=${next.begins} /></b>` : "nothing is scheduled"}</span>
    </div>
  </div>`;
}

function Running({ live }) {
  const runs = [...live.values()].sort((a, b) => a.id - b.id);
  const rest = runs.length - MOST_RUNS;
  const item = (run) => {
    const [done, total] = progressOf(run) ?? [];
    return html`<li key=${run.id} data-row>
      <${RunState} run=${run} />
      <a href=${to.run(run.id)} data-main>${what(run)}</a>
      <span class="why">${total ? html`<progress max=${total} value=${done} aria-label=${what(run)} />` : null}</span>
      <span class="act quiet">${total ? `${bytes(done)} of ${bytes(total)}` : html`<${When} at=${run.began_at} />`}</span>
    </li>`;
  };
  return html`<${Panel} id="running" title="Running" aside=${plural(runs.length, "run")} bare>
    <ul class="problems">${runs.slice(0, MOST_RUNS).map(item)}</ul>
    ${rest > 0 && html`<p class="more"><a href=${to.runs}>${plural(rest, "other run")}</a></p>`}
  <//>`;
}
