// One run: how far it is, what came of it, and its log.

import { path, post } from "../api.js";
import { capital, figure, plural, seconds } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { Action, Crumbs, Facts, Fold, Note, Panel, Pending, State, Trouble } from "../parts/basic.js";
import { Log } from "../parts/log.js";
import { LivePhases, Phases } from "../parts/phases.js";
import { RunBadge } from "../parts/run.js";
import { announce, useEvents, useResource } from "../store.js";
import { runSeconds, to, trigger, what } from "../state.js";
import { Moment, moment, relative } from "../time.js";

export function Run({ id }) {
  const number = Number(id);
  const record = useResource(path("runs", id), (name, data) => name === "ended" && data.run.id === number);
  const [live, setLive] = useState(null);
  useEvents((name, data) => {
    if (name === "progress" && data.run.id === number) setLive(data.run);
    if (name === "ended" && data.run.id === number) announce(`${what(data.run)}: ${data.run.outcome?.result}`);
  });
  useEffect(() => { document.title = `Run ${id} – odoo-backup`; }, [id]);
  const run = record.data && (record.data.ended_at ? record.data : live ?? record.data);
  return html`<${Pending} of=${[record]}>${() => html`<${Head} run=${run} /><${Outcome} run=${run} />`}<//>
    ${record.data && html`<${Log} id=${id} />`}`;
}

/** Says in one sentence where a run is. */
function lead(run) {
  const began = `Began ${relative(run.began_at)}, ${trigger(run)}`;
  if (run.live?.phase === "waiting") return `${began}; it is queued behind other runs.`;
  if (run.live?.phase === "pausing") return `${began}; attempt ${run.live.attempt} failed, and the next begins ${relative(run.live.until)}.`;
  if (!run.ended_at) return `${began}; running for ${seconds(runSeconds(run))}.`;
  return `${began}; ended at ${moment(run.ended_at)} after ${seconds(runSeconds(run))}.`;
}

function Head({ run }) {
  const can = run.live && !run.live.stopping;
  return html`<header>
      <${Crumbs} way=${[["Runs", to.runs], [`run ${run.id}`]]} />
      <div class="title">
        <h1>${capital(run.job)} of ${run.job === "undo" ? run.target : html`<a href=${to.instance(run.instance)}>${run.instance}</a>${run.target && ` to ${run.target}`}`}</h1>
        <${RunBadge} run=${run} />
        ${can && html`<div class="actions push"><${Action} id="cancel" danger act=${() => post(`${path("runs", run.id)}/cancel`)}>Cancel<//></div>`}
      </div>
      <p class="lead">${lead(run)}</p>
    </header>
    ${run.live && html`<${Panel} id="progress" title="Progress" aside=${run.live.attempt > 1 && `attempt ${run.live.attempt}`}>
      <${Trouble} error=${run.live.last_failure} />
      ${run.live.phases.length > 0 ? html`<${LivePhases} phases=${run.live.phases} />` : html`<p class="quiet">No phase has begun yet.</p>`}
    <//>`}`;
}

function Outcome({ run }) {
  const outcome = run.outcome;
  if (!outcome) return null;
  const removed = outcome.removed ?? [];
  const pairs = [
    ["Backup", outcome.backup && html`<a class="id" href=${to.backup(run.instance, outcome.backup)}>${outcome.backup}</a>`],
    ["Started", html`<${Moment} at=${run.began_at} />`],
    ["Ended", html`<${Moment} at=${run.ended_at} />`],
    ["Attempts", outcome.attempts > 1 && String(outcome.attempts)],
    ["Proof", outcome.proof && html`<${State} tone=${outcome.proof.outcome === "passed" ? "good" : "bad"}>${outcome.proof.outcome}<//> <a href=${to.backup(run.instance, outcome.backup)}><${Moment} at=${outcome.proof.at} /></a> (${outcome.proof.depth})`],
    ...Object.entries(outcome.figures ?? {}).map(([name, value]) => figure(name, value)),
  ];
  const item = (each) => html`<li><span class="id">${each.backup}</span>${each.repository && each.repository !== "main" ? ` in ${each.repository}` : ""}: ${each.reason}</li>`;
  return html`
    <${Trouble} error=${outcome.error} />
    <${Note} items=${outcome.warnings} />
    <${Panel} id="result" title="Result">
      <${Facts} pairs=${pairs} />
      <${Phases} phases=${run.phases} />
      ${removed.length > 0 && html`<${Fold} open=${removed.length <= 5} summary=${`${plural(removed.length, "backup")} removed by the policy`}><ul>${removed.map(item)}</ul><//>`}
    <//>`;
}
