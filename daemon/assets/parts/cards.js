// A few instances as cards, the worst first.

import { bytes, capital, plural } from "../format.js";
import { html } from "../html.js";
import { backupBytes, problem, rankOf, runsOf, stateOf, toneOf, to } from "../state.js";
import { When } from "../time.js";
import { Action, Badge, Facts, Note } from "./basic.js";
import { RunState, Tasks, start } from "./run.js";

export function Cards({ rows, live }) {
  const sorted = [...rows].sort((a, b) => rankOf(a.state) - rankOf(b.state));
  return html`<ul class="cards">${sorted.map(({ instance }) => html`<${Card} key=${instance.name} instance=${instance} live=${live} />`)}</ul>`;
}

function Card({ instance, live }) {
  const { name } = instance;
  const state = stateOf(instance);
  const newest = instance.newest_backup;
  const { next } = instance;
  const runs = runsOf(live, name);
  const backup = runs.find((run) => run.job === "backup");
  const [worst, ...more] = state === "new" ? [] : instance.problems;
  const wrong = worst && html`${problem(worst).text}${more.length > 0 && ` And ${plural(more.length, "other problem")}.`}`;
  return html`<li class="card" data-row>
    <div class="top-line"><h2><a href=${to.instance(name)} data-main>${name}</a></h2><${Badge} tone=${toneOf(state)}>${state === "new" ? "no backup yet" : state}<//></div>
    ${wrong && html`<${Note} tone=${toneOf(state)} items=${[wrong]} />`}
    ${runs.map((run) => html`<div class="live"><div><a href=${to.run(run.id)}>${capital(run.job)}${run.target ? ` to ${run.target}` : ""}</a> <${RunState} run=${run} /></div><${Tasks} live=${run.live} /></div>`)}
    <${Facts} pairs=${[
      ["Newest backup", newest ? html`<a href=${to.backup(name, newest.id)}><${When} at=${newest.created_at} /></a>, ${bytes(backupBytes(newest))}` : html`<${When} />`],
      ["Verified", html`<${When} at=${instance.newest_proof?.at} />`],
      ["Next run", next ? html`<${When} at=${next.begins} />${next.job === "backup" ? "" : `, ${next.job}`}` : "not scheduled"],
      ["Stored", `${bytes(instance.stored_bytes)} in ${plural(instance.backups, "backup")}`],
    ]} />
    <div class="actions">${backup ? html`<a class="button" href=${to.run(backup.id)}>Watch</a>` : html`<${Action} id=${`backup-${name}`} act=${() => start(name, "backup")} label=${`Back up now: ${name}`}>Back up now<//>`}</div>
  </li>`;
}
