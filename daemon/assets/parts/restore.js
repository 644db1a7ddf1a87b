// Restores and undos, which show what they will do before they do it.

import { path, post } from "../api.js";
import { bytes, plural } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { announce } from "../store.js";
import { to } from "../state.js";
import { Moment } from "../time.js";
import { Badge, Note, Trouble } from "./basic.js";
import { Confirm, Dialog } from "./dialog.js";
import { Copy, care } from "./targets.js";

/** Asks the daemon what would be done, which changes nothing: `{ plan, error }`, both null while it looks. */
function usePlan(address, body) {
  const [state, setState] = useState({ plan: null, error: null });
  useEffect(() => {
    let here = true;
    const say = (next) => here && setState({ plan: null, error: null, ...next });
    post(address, { ...body, dry_run: true }).then((plan) => say({ plan }), (error) => say({ error }));
    return () => { here = false; };
  }, []);
  return state;
}

async function begin(address, body, words) {
  const run = await post(address, body);
  announce(`${words} started`);
  location.hash = to.run(run.id);
}

/** Shows what a restore will do; unless it is `only` a dry run, it can be confirmed with the target's name. */
export function RestoreDialog({ target, instance, backup, only, onClose }) {
  const address = `${path("targets", target.name)}/restores`;
  const body = { instance, backup: backup?.id ?? "latest" };
  const { plan, error } = usePlan(address, body);
  const created = plan?.created_at ?? backup?.created_at;
  const steps = [
    html`Restore ${created ? html`the backup of <${Moment} at=${created} />` : "the latest backup"} of ${instance}${plan?.repository && plan.repository !== "main" ? ` from repository ${plan.repository}` : ""} next to ${target.name}${plan && `: ${needs(plan.needs)}`}.`,
    `Verify the copy; it is ${care(plan ?? target)}.`,
    plan ? html`<${Replaced} state=${plan.state} target=${target} />` : `Swap it with database ${target.database} and folder ${target.filestore}; what is there now is kept for undo.`,
  ];
  if (plan?.state?.former) steps.push("Remove what was kept for the undo before.");
  const content = html`<${Plan} plan=${plan} error=${error} steps=${steps} />`;
  if (only) return html`<${Dialog} open onClose=${onClose} title=${`Dry run: restore ${instance} to ${target.name}`}>${content}<div class="actions"><button type="button" onClick=${onClose}>Close</button></div><//>`;
  const act = () => begin(address, { ...body, backup: plan?.backup ?? body.backup }, `restore to ${target.name}`);
  return html`<${Confirm} open onClose=${onClose} title=${`Restore ${instance} to ${target.name}`} words="Restore" typed=${target.name} danger disabled=${plan?.would_start === false} act=${act}>${content}<//>`;
}

const needs = ({ database_bytes, filestore_bytes, filestore_files }) => `${bytes(database_bytes)} of database, ${plural(filestore_files, "file")} with ${bytes(filestore_bytes)}`;

/** What a restore replaces. */
function Replaced({ state, target }) {
  if (!state || state.error) return `Swap it with database ${target.database} and folder ${target.filestore}; what is there now is kept for undo.`;
  if (!state.database && !state.filestore) return `Give it the names of the target: database ${target.database} and folder ${target.filestore}. Nothing is there now.`;
  return html`Swap it with database ${target.database}${state.database?.bytes ? ` (${bytes(state.database.bytes)})` : ""} and folder ${target.filestore}: <${Copy} copy=${state.copy} />, which is kept for undo.`;
}

/** Shows what an undo will do, before it does it. */
export function UndoDialog({ target, instance, onClose }) {
  const address = `${path("targets", target.name)}/undo`;
  const body = target.instance === null ? { instance } : {};
  const { plan, error } = usePlan(address, body);
  const state = plan?.state ?? target.state;
  const former = state?.former;
  const steps = [
    html`Bring back ${former ? html`what was kept <${Moment} at=${former.kept_at} />: <${Copy} copy=${former.copy} />${former.database?.bytes ? ` (${bytes(former.database.bytes)})` : ""}` : "what was there before the last restore"}.`,
    html`Keep what is in ${target.name} now, <${Copy} copy=${state?.copy} />, so that this undo can be undone.`,
  ];
  return html`<${Confirm} open onClose=${onClose} title=${`Undo the last restore to ${target.name}`} words="Undo" typed=${target.name} danger disabled=${plan?.would_start === false} act=${() => begin(address, body, `undo of ${target.name}`)}><${Plan} plan=${plan} error=${error} steps=${steps} /><//>`;
}

const words = ({ message, hint }) => html`${message}${hint && html`<br />Hint: ${hint}`}`;

function Plan({ plan, error, steps }) {
  return html`<div class="stack" id="plan" aria-busy=${!plan && !error}>
    <ol>${steps.map((step) => html`<li>${step}</li>`)}</ol>
    <${Note} items=${plan?.passed_over} />
    ${plan?.obstacles.length > 0 && html`<${Note} tone="bad" items=${plan.obstacles.map(words)} />`}
    <${Note} items=${plan?.warnings.map(words)} />
    ${plan ? html`<p>${plan.would_start ? html`<${Badge} tone="good">nothing is in the way<//>` : html`<${Badge} tone="bad">refused<//>`}</p>` : !error && html`<p class="quiet" role="status">Looking at the target…</p>`}
    <${Trouble} error=${error} />
  </div>`;
}
