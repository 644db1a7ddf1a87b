// The targets that an instance's backups can be restored to: what is there, and what can be done with it.

import { plural } from "../format.js";
import { html, useState } from "../html.js";
import { useResource } from "../store.js";
import { to } from "../state.js";
import { Moment, When } from "../time.js";
import { Fold, Panel, Quiet, State } from "./basic.js";
import { RestoreDialog, UndoDialog } from "./restore.js";

const changes = (name, data) => ["reloaded", "repository"].includes(name) || (["began", "ended"].includes(name) && Boolean(data.run.target));

/** Loads the targets. A page waits for them, so that nothing moves under the pointer. */
export const useTargets = () => useResource("/targets", changes);

/** The targets of an instance; with `backup` the restores are of that backup, else of the latest. */
export function Targets({ targets, instance, backup = null }) {
  const [asked, setAsked] = useState(null);
  const close = () => setAsked(null);
  const mine = targets.filter((target) => target.instance === null || target.instance === instance);
  const source = backup ? `${instance}/${backup.id}` : `${instance}/latest`;
  const none = html`<${Quiet}>The configuration has no target for ${instance}. Add <code>[target.NAME]</code> to restore from this page.<//>`;
  const list = html`<ul class="targets">${mine.map((target) => html`<${Target} key=${target.name} target=${target} ask=${(what) => setAsked({ what, target })} />`)}</ul>`;
  return html`<${Panel} id="targets" title=${backup ? "Restore from here" : "Targets"} aside=${plural(mine.length, "target")} bare>
    ${mine.length === 0 ? none : list}
    <div class="more quiet"><${Fold} summary="At the command line"><code>odoo-backup restore ${source} --to TARGET</code><//></div>
    ${asked?.what === "undo" && html`<${UndoDialog} target=${asked.target} instance=${instance} onClose=${close} />`}
    ${asked && asked.what !== "undo" && html`<${RestoreDialog} target=${asked.target} instance=${instance} backup=${backup} only=${asked.what === "plan"} onClose=${close} />`}
  <//>`;
}

function Target({ target, ask }) {
  const { name, state } = target;
  const canUndo = state?.former && !target.running;
  return html`<li>
    <div class="what"><b>${name}</b> <span class="quiet">database ${target.database}, ${care(target)}</span><div><${Content} target=${target} /></div></div>
    <div class="actions">
      <button type="button" id=${`restore-${name}`} onClick=${() => ask("restore")}>Restore…</button>
      <button type="button" id=${`plan-${name}`} onClick=${() => ask("plan")}>Dry run…</button>
      ${canUndo && html`<button type="button" id=${`undo-${name}`} onClick=${() => ask("undo")}>Undo…</button>`}
    </div>
  </li>`;
}

/** What is done to a copy before it can be used. */
export const care = (target) => `${target.neutralize ? "neutralized" : "NOT neutralized"}${target.anonymize ? " and anonymized" : ""}`;

/** A copy, by the backup that it is of. */
export function Copy({ copy, linked = false }) {
  if (!copy) return "a database of which no backup is known";
  const whose = html`${copy.instance}${copy.created_at && html` of <${Moment} at=${copy.created_at} />`}`;
  return html`a copy of ${linked && copy.backup ? html`<a href=${to.backup(copy.instance, copy.backup)}>${whose}</a>` : whose}`;
}

/** What is there now. */
function Content({ target }) {
  const { state } = target;
  if (target.running) return html`<${State} tone="busy">running<//> <a href=${to.run(target.running)}>run ${target.running}</a>`;
  if (!state) return html`<${State}>not looked at yet<//>`;
  if (state.error) return html`<${State} tone="warn">could not tell<//> ${state.error.message}`;
  if (!state.database && !state.filestore) return html`<${State}>empty<//>`;
  const { copy, former } = state;
  if (state.unfinished) return html`<${State} tone="warn">unfinished<//> a restore to this target was interrupted; the next one cleans up`;
  return html`<${State} tone="good">in use<//> <${Copy} copy=${copy} linked />${copy?.restored_at && html`, restored <${When} at=${copy.restored_at} />`}${former && html`; undo brings back what was there <${When} at=${former.kept_at} />`}`;
}
