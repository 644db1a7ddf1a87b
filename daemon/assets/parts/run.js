// Runs, wherever they are shown: their state, their progress, and lists of them.

import { path, post } from "../api.js";
import { bytes, percent, seconds } from "../format.js";
import { html } from "../html.js";
import { announce } from "../store.js";
import { runSeconds, runState, to, trigger, what } from "../state.js";
import { Moment, When } from "../time.js";
import { Badge, State } from "./basic.js";
import { Table } from "./table.js";

export function RunBadge({ run }) {
  const [words, tone] = runState(run);
  return html`<${Badge} tone=${tone}>${words}<//>`;
}

/** The state of a run in a list; `short` without the words that explain it. */
export function RunState({ run }) {
  const [words, tone] = runState(run);
  return html`<${State} tone=${tone}>${words}<//>`;
}

/** Starts a run of an instance and shows it. */
export async function start(instance, job) {
  const run = await post(`${path("instances", instance)}/runs`, { job });
  announce(`${job} of ${instance} started`);
  location.hash = to.run(run.id);
}

/** The tasks of a run that count bytes, in a few words; the page of the run has more. */
export function Tasks({ live }) {
  const tasks = live?.tasks ?? [];
  if (tasks.length === 0) return null;
  const line = (task) => (task.total_bytes ? `${percent(task.done_bytes, task.total_bytes)}, ${bytes(task.done_bytes)} of ${bytes(task.total_bytes)}` : bytes(task.done_bytes));
  return html`<ul class="tasks">${tasks.map(
    (task) => html`<li>
      <div class="line"><span>${task.name}</span><span class="quiet">${line(task)}</span></div>
      ${task.total_bytes > 0 && html`<progress max=${task.total_bytes} value=${Math.min(task.done_bytes, task.total_bytes)} aria-label=${task.name} />`}
    </li>`,
  )}</ul>`;
}

/** How far a run is, in percent of what its tasks count, or null. */
export function progressOf(run) {
  const tasks = (run.live?.tasks ?? []).filter((task) => task.total_bytes > 0);
  const total = tasks.reduce((sum, task) => sum + task.total_bytes, 0);
  if (total === 0) return null;
  return [Math.min(total, tasks.reduce((sum, task) => sum + task.done_bytes, 0)), total];
}

const runLink = (run) => html`<a href=${to.run(run.id)} data-main>${what(run)}</a>`;

/** Runs, newest first. */
export function RunTable({ runs, label = "Runs", empty = "No runs yet.", most }) {
  const columns = [
    { key: "run", title: "Run", number: true, cell: (run) => String(run.id), sort: (run) => run.id, down: true },
    { key: "state", title: "State", cell: (run) => html`<${RunState} run=${run} />`, sort: (run) => runState(run)[0] },
    { key: "what", title: "Job", cell: runLink, sort: what },
    { key: "began", title: "Started", cell: (run) => html`<${Moment} at=${run.began_at} />`, sort: (run) => Date.parse(run.began_at), down: true },
    { key: "took", title: "Duration", number: true, cell: (run) => seconds(runSeconds(run)), sort: runSeconds, down: true },
    { key: "trigger", title: "Trigger", cell: trigger, sort: trigger },
    { key: "why", title: "Result", grow: true, cell: (run) => result(run) },
  ];
  const narrow = (run) => [runLink(run), html`<${RunState} run=${run} />`, html`<${When} at=${run.began_at} />, ${seconds(runSeconds(run))}, ${trigger(run)}`];
  return html`<${Table} label=${label} columns=${columns} rows=${runs} rowKey=${(run) => run.id} narrow=${narrow} by="run" empty=${empty} most=${most} />`;
}

/** Says in a few words what came of a run. */
function result(run) {
  const outcome = run.outcome;
  if (!outcome) return "";
  if (outcome.result === "failed") return outcome.error?.message ?? "";
  if (outcome.warnings?.length > 0) return outcome.warnings.length === 1 ? outcome.warnings[0] : `${outcome.warnings.length} warnings`;
  const stored = outcome.figures?.stored_bytes;
  if (outcome.backup) return html`<a class="id" href=${to.backup(run.instance, outcome.backup)}>${outcome.backup}</a>${run.job === "backup" && stored !== undefined ? `, ${bytes(stored)} stored` : ""}`;
  return "";
}
