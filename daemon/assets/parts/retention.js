// What keeps the backups of an instance, and what the next prune will remove.

import { path } from "../api.js";
import { bytes, plural } from "../format.js";
import { html } from "../html.js";
import { useResource } from "../store.js";
import { to } from "../state.js";
import { Moment } from "../time.js";
import { Fold, Note, Panel, Trouble } from "./basic.js";

/** Longer lists are folded. */
const FEW = 6;

export function useRetention(name) {
  const changes = (event, data) => event === "repository" || (event === "ended" && data.run.instance === name);
  return useResource(`${path("instances", name)}/retention`, changes);
}

export function RetentionPanel({ instance, retention: { data, error } }) {
  const { name } = instance;
  const removed = data?.backups.filter((backup) => !backup.keep) ?? [];
  return html`<${Panel} id="retention" title="Retention" aside=${data && `${plural(data.backups.length - removed.length, "backup")} kept`}>
    <p>${data?.sentence ?? instance.retention}</p>
    <${Trouble} error=${error} />
    <${Note} items=${(data?.holds ?? []).map((hold) => `${hold.message}: nothing is removed. Hint: ${hold.hint}`)} />
    ${data && html`<${Removed} name=${name} removed=${removed} frees=${data.frees_bytes} prunes=${instance.prunes} />`}
  <//>`;
}

function Removed({ name, removed, frees, prunes }) {
  const who = prunes ? "The prune after the next good backup" : html`Nothing is removed after a backup, because <code>prune</code> is <code>false</code>. <code>odoo-backup prune</code>`;
  if (removed.length === 0) return html`<p>${who} removes none of the present backups.</p>`;
  const item = (backup) => html`<li><a href=${to.backup(name, backup.id)}><${Moment} at=${backup.created_at} /></a> <span class="quiet">${backup.reason ?? "no rule keeps it"}${backup.frees_bytes ? `; frees ${bytes(backup.frees_bytes)}` : ""}</span></li>`;
  const list = html`<ul>${removed.map(item)}</ul>`;
  return html`<div><p>${who} removes ${plural(removed.length, "backup")}${frees ? `, which frees ${bytes(frees)}` : ""}:</p>${removed.length > FEW ? html`<${Fold} summary="Show them">${list}<//>` : list}</div>`;
}
