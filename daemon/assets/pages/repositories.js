// The repositories: how large and how old they are, whether they were checked, and what in them is damaged or not configured.

import { bytes, count, plural } from "../format.js";
import { html, useEffect } from "../html.js";
import { Badge, Facts, Fold, Note, Panel, Pending, State, Trouble } from "../parts/basic.js";
import { Table } from "../parts/table.js";
import { useResource } from "../store.js";
import { to } from "../state.js";
import { When, Moment } from "../time.js";

export function Repositories() {
  const repositories = useResource("/repositories", (name) => ["repository", "reloaded", "ended"].includes(name));
  useEffect(() => { document.title = "Repositories – odoo-backup"; }, []);
  return html`<h1>Repositories</h1><${Pending} of=${[repositories]}>${() => repositories.data.repositories.map((each) => html`<${Repository} key=${each.name} repository=${each} />`)}<//>`;
}

function state(repository) {
  if (repository.reachable === false) return ["failed", "bad"];
  if (repository.reachable === null) return ["not read yet", ""];
  if (repository.damaged_backups.length > 0 || repository.unreadable > 0) return ["damaged", "bad"];
  return repository.alarms.length > 0 ? ["warning", "warn"] : ["ok", "good"];
}

const COPIED = { after_backup: "copied to after each backup", manually: "copied to by odoo-backup copy" };
const RESULTS = { done: ["ok", "good"], failed: ["failed", "bad"], lost: ["interrupted", "bad"], cancelled: ["cancelled", ""] };

function Check({ check }) {
  if (!check) return html`<span class="quiet">none by this daemon</span>`;
  const [words, tone] = RESULTS[check.result] ?? [check.result, ""];
  return html`<${State} tone=${tone}>${words}<//> <a href=${to.run(check.run)}><${When} at=${check.at} /></a>${check.message && html` <span class="quiet">${check.message}</span>`}`;
}

function Repository({ repository }) {
  const [words, tone] = state(repository);
  const configured = repository.instances.filter((each) => each.configured);
  const left = repository.instances.filter((each) => !each.configured);
  const pairs = [
    ["Location", html`<span class="id">${repository.location ?? "–"}</span>`],
    ["Stored", repository.bytes === null ? null : `${bytes(repository.bytes)} in ${plural(repository.backups, "backup")}${repository.unreadable > 0 ? `; ${plural(repository.unreadable, "backup")} cannot be read` : ""}`],
    ["Newest backup", html`<${When} at=${repository.newest_backup_at} />`],
    ["Last check", html`<${Check} check=${repository.last_check} />`],
    ["Last read", repository.refreshed_at && html`<${Moment} at=${repository.refreshed_at} />`],
    ["Role", repository.is_main ? "main: backups are made to it" : COPIED[repository.copied] ?? repository.copied],
  ];
  const damaged = repository.damaged_backups;
  const damage = html`<${Fold} open=${damaged.length <= 3} summary=${`${plural(damaged.length, "backup")} known to be damaged`}><ul>${damaged.map((each) => html`<li><a class="id" href=${to.backup(each.instance, each.backup)}>${each.instance}/${each.backup}</a>: ${each.reasons.join("; ")}</li>`)}</ul><//>`;
  return html`<${Panel} id=${`repository-${repository.name}`} title=${html`${repository.name} <${Badge} tone=${tone}>${words}<//>`}>
    <${Trouble} error=${repository.error} />
    <${Facts} pairs=${pairs} />
    <${Note} items=${repository.alarms} />
    ${damaged.length > 0 && html`<div class="note bad">${damage}</div>`}
    ${left.length > 0 && html`<div><h3>No longer in the configuration</h3><p class="quiet">Nothing prunes or checks these backups. <code>odoo-backup forget</code> removes them.</p><${Instances} name=${`${repository.name}, not configured`} rows=${left} /></div>`}
    ${configured.length > 0 && html`<${Fold} open=${configured.length <= 12} summary=${plural(configured.length, "instance")}><${Instances} name=${repository.name} rows=${configured} linked /><//>`}
  <//>`;
}

function Instances({ name, rows, linked = false }) {
  const title = (each) => (linked ? html`<a href=${to.instance(each.name)} data-main>${each.name}</a>` : each.name);
  const damage = (each) => (each.damaged > 0 ? html`<${State} tone="bad">${plural(each.damaged, "backup")}<//>` : html`<span class="quiet">none known</span>`);
  const columns = [
    { key: "name", title: "Instance", cell: title, sort: (each) => each.name },
    { key: "backups", title: "Backups", number: true, cell: (each) => count(each.backups), sort: (each) => each.backups, down: true },
    { key: "bytes", title: "Stored", number: true, cell: (each) => bytes(each.bytes), sort: (each) => each.bytes, down: true },
    { key: "newest", title: "Newest backup", cell: (each) => html`<${When} at=${each.newest_backup_at} />`, sort: (each) => each.newest_backup_at && Date.parse(each.newest_backup_at), down: true },
    { key: "damaged", title: "Damage", cell: damage, sort: (each) => each.damaged, down: true },
    { key: "check", title: "Last check", cell: (each) => html`<${Check} check=${each.last_check} />`, sort: (each) => each.last_check && Date.parse(each.last_check.at), down: true },
  ];
  const narrow = (each) => [title(each), bytes(each.bytes), html`${plural(each.backups, "backup")}, newest <${When} at=${each.newest_backup_at} />; damage: ${each.damaged > 0 ? each.damaged : "none known"}`];
  return html`<${Table} label=${`Instances in ${name}`} columns=${columns} rows=${rows} rowKey=${(each) => each.name} narrow=${narrow} by="name" most=${50} />`;
}
