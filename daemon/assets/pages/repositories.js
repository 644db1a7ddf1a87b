// The repositories: how large and how old they are, whether they were checked, and what in them is damaged or not configured.

import { bytes, count, plural } from "../format.js";
import { html, useEffect } from "../html.js";
import { Badge, Facts, Fold, Panel, Pending, State, Trouble } from "../parts/basic.js";
import { Table } from "../parts/table.js";
import { useResource } from "../store.js";
import { to } from "../state.js";
import { Moment, When } from "../time.js";

export function Repositories() {
  const repositories = useResource("/repositories", (name) => ["repository", "reloaded", "ended"].includes(name));
  useEffect(() => { document.title = "Repositories – odoo-backup"; }, []);
  return html`<h1>Repositories</h1><${Pending} of=${[repositories]}>${() => repositories.data.repositories.map((each) => html`<${Repository} key=${each.name} repository=${each} />`)}<//>`;
}

function state({ reachable, content }) {
  if (reachable === false) return ["failed", "bad"];
  if (reachable === null) return ["not read yet", ""];
  if (content.damaged.length > 0) return ["damaged", "bad"];
  return content.unreadable.length > 0 ? ["partly unreadable", "bad"] : ["ok", "good"];
}

const ROLES = { after_backup: "receives a copy after each backup", manually: "receives copies by odoo-backup copy" };
const RESULTS = { failed: ["failed", "bad"], lost: ["interrupted", "bad"], cancelled: ["cancelled", ""], elsewhere: ["done by another daemon", "good"] };

/** The latest check by this daemon; else when any check last read the data. */
function Check({ check, read }) {
  if (!check && read) return html`data read <${When} at=${read} />`;
  if (!check) return html`<span class="quiet">none by this daemon</span>`;
  const isWarned = check.outcome.warnings?.length > 0;
  const [words, tone] = RESULTS[check.outcome.result] ?? (isWarned ? ["warnings", "warn"] : ["ok", "good"]);
  return html`<${State} tone=${tone}>${words}<//> <a href=${to.run(check.run)}><${When} at=${check.at} /></a>`;
}

function checked({ last_check: check, data_read_at: read }) {
  const at = check?.at ?? read;
  return at && Date.parse(at);
}

const stored = ({ bytes: size, backups, quarantined }) => `${bytes(size)} in ${plural(backups, "backup")}${quarantined > 0 ? `; ${plural(quarantined, "backup")} quarantined` : ""}`;

function Repository({ repository }) {
  const { name, location, copied, content, error, last_check: check } = repository;
  const [words, tone] = state(repository);
  const pairs = [
    ["Location", html`<span class="id">${location ?? "–"}</span>`],
    ["Stored", content && stored(content)],
    ["Newest backup", content && html`<${When} at=${content.newest_backup_at} />`],
    ["Last check", html`<${Check} check=${check} read=${content?.data_read_at} />`],
    ["Last read", content && html`<${Moment} at=${content.looked_at} />`],
    ["Role", copied === null ? "backups are made to it" : ROLES[copied] ?? copied],
  ];
  return html`<${Panel} id=${`repository-${name}`} title=${html`${name} <${Badge} tone=${tone}>${words}<//>`}>
    <${Trouble} error=${error} />
    <${Facts} pairs=${pairs} />
    ${content && html`<${Content} name=${name} content=${content} />`}
  <//>`;
}

function Content({ name, content: { instances, damaged, unreadable } }) {
  const configured = instances.filter((each) => each.configured);
  const left = instances.filter((each) => !each.configured);
  const item = (each) => html`<li><a href=${to.instance(each.instance)}>${each.instance}</a>: <span class="id">${each.key}</span>, found <${When} at=${each.found_at} />: ${each.reasons.join("; ")}</li>`;
  return html`
    ${unreadable.map((error) => html`<${Trouble} error=${error} />`)}
    ${damaged.length > 0 && html`<div class="note bad"><${Fold} open=${damaged.length <= 3} summary=${`${plural(damaged.length, "object")} known to be damaged`}><ul>${damaged.map(item)}</ul><//></div>`}
    ${left.length > 0 && html`<div><h3>No longer in the configuration</h3><p class="quiet">Nothing prunes or checks these backups. <code>odoo-backup forget</code> removes one.</p><${Instances} label=${`Instances in ${name} that are not configured`} rows=${left} /></div>`}
    ${configured.length > 0 && html`<${Fold} open=${configured.length <= 12} summary=${plural(configured.length, "instance")}><${Instances} label=${`Instances in ${name}`} rows=${configured} linked /><//>`}
  `;
}

function damage({ damaged }) {
  if (damaged === null) return html`<${State} tone="warn">could not tell<//>`;
  return damaged > 0 ? html`<${State} tone="bad">${plural(damaged, "object")}<//>` : html`<span class="quiet">none known</span>`;
}

function Instances({ label, rows, linked = false }) {
  const title = (each) => (linked ? html`<a href=${to.instance(each.name)} data-main>${each.name}</a>` : each.name);
  const columns = [
    { key: "name", title: "Instance", cell: title, sort: (each) => each.name },
    { key: "backups", title: "Backups", number: true, cell: (each) => count(each.backups), sort: (each) => each.backups, down: true },
    { key: "bytes", title: "Stored", number: true, cell: (each) => bytes(each.bytes), sort: (each) => each.bytes, down: true },
    { key: "newest", title: "Newest backup", cell: (each) => html`<${When} at=${each.newest_backup_at} />`, sort: (each) => each.newest_backup_at && Date.parse(each.newest_backup_at), down: true },
    { key: "damaged", title: "Damage", cell: damage, sort: (each) => each.damaged, down: true },
    { key: "check", title: "Last check", cell: (each) => html`<${Check} check=${each.last_check} read=${each.data_read_at} />`, sort: checked, down: true },
  ];
  const narrow = (each) => [title(each), bytes(each.bytes), html`${plural(each.backups, "backup")}, newest <${When} at=${each.newest_backup_at} />; damage: ${damage(each)}`];
  return html`<${Table} label=${label} columns=${columns} rows=${rows} rowKey=${(each) => each.name} narrow=${narrow} by="name" most=${50} />`;
}
