// What ran, newest first.

import { get, query } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { Action, Panel, Pending } from "../parts/basic.js";
import { RunTable } from "../parts/run.js";
import { useLive, useResource } from "../store.js";
import { to } from "../state.js";

const JOBS = ["backup", "check", "drill", "restore", "undo"];
const RESULTS = [["done", "done"], ["warnings", "done with warnings"], ["failed", "failed"], ["cancelled", "cancelled"], ["running", "running"]];
const LIMIT = 100;

export function Runs({ instance }) {
  const [job, setJob] = useState("");
  const [result, setResult] = useState("");
  const first = useResource(`/runs${query({ instance, job, result, limit: LIMIT })}`, (name) => ["began", "ended"].includes(name));
  useEffect(() => { document.title = "Runs – odoo-backup"; }, []);
  const choice = (words, id, value, set, options) => html`<label>${words} <select id=${id} value=${value} onChange=${(event) => set(event.target.value)}><option value="">all</option>${options.map(([each, text]) => html`<option value=${each}>${text}</option>`)}</select></label>`;
  const chosen = html`${choice("Job", "job", job, setJob, JOBS.map((each) => [each, each]))}${choice("Result", "result", result, setResult, RESULTS)}`;
  const title = instance ? `Runs of ${instance}` : "Runs";
  return html`<header><h1>${title}</h1>${instance && html`<p class="lead"><a href=${to.runs}>Runs of all instances</a></p>`}</header>
    <${Panel} id="runs" title="Newest first" aside=${chosen} bare><${Pending} of=${[first]}>${() => html`<${List} key=${`${job} ${result}`} first=${first.data} wanted=${{ instance, job, result }} />`}<//><//>`;
}

function List({ first, wanted }) {
  const [older, setOlder] = useState({ runs: [], next: first.next });
  const live = useLive(first.runs.filter((run) => run.live));
  const newest = new Set(first.runs.map((run) => run.id));
  const runs = [...first.runs.map((run) => live.get(run.id) ?? run), ...older.runs.filter((run) => !newest.has(run.id))];
  const next = older.runs.length > 0 ? older.next : first.next;
  const more = async () => {
    const page = await get(`/runs${query({ ...wanted, limit: LIMIT, before: next })}`);
    setOlder({ runs: [...older.runs, ...page.runs], next: page.next });
  };
  return html`<${RunTable} runs=${runs} />${next && html`<div class="more"><${Action} id="older" act=${more}>Older<//></div>`}`;
}
