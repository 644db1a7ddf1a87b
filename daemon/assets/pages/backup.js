// One backup: what it covers, what is wrong with it, what can be had from it, and where it can be restored.

import { ask, path } from "../api.js";
import { bytes, count, plural, seconds } from "../format.js";
import { html, useEffect } from "../html.js";
import { Action, Badge, Crumbs, Facts, Fold, Note, Panel, Pending, Quiet, State } from "../parts/basic.js";
import { Proof } from "../parts/backups.js";
import { Attachments } from "../parts/attachments.js";
import { useZip } from "../parts/download.js";
import { Table } from "../parts/table.js";
import { Targets, useTargets } from "../parts/targets.js";
import { announce, useResource } from "../store.js";
import { backupSeconds, keptBy, to } from "../state.js";
import { Moment, moment, relative } from "../time.js";

export function Backup({ name, id }) {
  const at = path("instances", name, "backups", id);
  const changes = (event, data) => ["drill", "check", "restore"].includes(data?.run?.job) && event === "ended" && data.run.instance === name;
  const backup = useResource(at, changes);
  const targets = useTargets();
  useEffect(() => { document.title = `${name} ${id} – odoo-backup`; }, [name, id]);
  return html`<${Pending} of=${[backup, targets]}>${() => html`<${Content} targets=${targets.data.targets} name=${name} id=${id} at=${at} backup=${backup.data} reload=${backup.reload} />`}<//>`;
}

function state(backup) {
  if (backup.flaws.length > 0) return ["not good", "bad"];
  return backup.warnings.length > 0 ? ["with warnings", "warn"] : ["complete", "good"];
}

// How a dump is stored: in full, or what is new in it.
function stored(database) {
  const own = `${bytes(database.stored_bytes)} stored`;
  return database.volumes === 1 ? `in full, ${own}` : `${bytes(database.new_bytes)} new, ${own}, based on ${plural(database.volumes, "volume")}`;
}

function Content({ targets, name, id, at, backup, reload }) {
  const { database, filestore, attachments } = backup;
  const [words, tone] = state(backup);
  const of = { instance: name, backup: id };
  const [zip, download] = useZip(of);
  const pin = async () => {
    if (backup.pinned) await ask("DELETE", `${at}/pin`);
    else await ask("PUT", `${at}/pin`, { note: null });
    await reload();
    announce(backup.pinned ? "Unpinned" : "Pinned");
  };
  const lead = `Database ${database.name} as it was ${relative(backup.created_at)}: ${bytes(database.dump_bytes)} of database and ${plural(filestore.files, "file")} with ${bytes(filestore.bytes)}.`;
  const pairs = [
    ["Database", `${database.name}: ${bytes(database.dump_bytes)}, ${stored(database)}${database.tables ? `; ${plural(database.rows, "row")} in ${plural(database.tables, "table")}` : ""}`],
    ["Files", `${plural(filestore.files, "file")}, ${bytes(filestore.bytes)}, in ${plural(filestore.volumes, "volume")}`],
    ["New files", filestore.new_files > 0 ? `${plural(filestore.new_files, "file")}, ${bytes(filestore.new_bytes)}` : "none"],
    ["Attachments", attachments && `${plural(attachments.rows, "row")}, referencing ${plural(attachments.files, "file")}; ${count(attachments.in_database)} in the database, ${count(attachments.elsewhere)} elsewhere`],
    ["Newly stored", bytes(backup.stored_bytes)],
    ["Made in", `${seconds(backupSeconds(backup))}, until ${moment(backup.finished_at)}`],
    ["Odoo", backup.odoo_series],
    ["PostgreSQL", `${backup.server?.version ?? "?"}, pg_dump ${backup.pg_dump ?? "?"}`],
    ["Proof", html`<${Proof} proof=${backup.proof} />`],
    ["Kept by", keptBy(backup)],
    ["Pinned", backup.pin && html`<${Moment} at=${backup.pin.pinned_at} />${backup.pin.note ? `: ${backup.pin.note}` : ""}`],
    ["Imported from", backup.imported && (backup.imported.file ?? backup.imported.name ?? JSON.stringify(backup.imported))],
  ];
  return html`
    <header>
      <${Crumbs} way=${[["Overview", to.overview], [name, to.instance(name)], [id]]} />
      <div class="title">
        <h1>Backup of <${Moment} at=${backup.created_at} /></h1>
        <${Badge} tone=${tone}>${words}<//>
        ${backup.pinned && html`<${Badge}>pinned<//>`}
        <div class="actions push">
          <${Action} id="pin" act=${pin}>${backup.pinned ? "Unpin" : "Pin"}<//>
          ${zip}
        </div>
      </div>
      <p class="lead">${lead}</p>
      <p class="quiet id">${id}</p>
    </header>
    ${download}
    <${Note} tone="bad" items=${backup.flaws} />
    <${Panel} id="covers" title="What it covers"><${Facts} pairs=${pairs} /><//>
    <${Warnings} backup=${backup} />
    <${Targets} targets=${targets} instance=${name} backup=${backup} />
    ${attachments && html`<${Attachments} at=${at} of=${of} attachments=${attachments} />`}
    <${Verification} record=${backup.proof_record} />
    <${Objects} objects=${backup.objects ?? []} />
  `;
}

const FINDINGS = {
  missing: "referenced by attachments, missing at the source",
  deleted: "deleted while the backup was made",
  damaged: "damaged at the source",
  changed: "changed while they were read",
  unreadable: "unreadable at the source",
  rescued: "recovered from an earlier backup",
  skipped: "neither files nor folders, not backed up",
  unreferenced: "named by no attachment; they are in the backup",
};

/** Warnings as counts, with the names folded. */
function Warnings({ backup }) {
  const findings = Object.entries(backup.findings?.counts ?? {}).filter(([, count]) => count > 0);
  if (backup.warnings.length === 0 && findings.length === 0) return null;
  const item = ([kind, count]) => {
    const summary = `${plural(count, "file")} ${FINDINGS[kind] ?? kind.replaceAll("_", " ")}`;
    const names = backup.findings[kind];
    if (!Array.isArray(names) || names.length === 0) return html`<li>${summary}</li>`;
    const more = count > names.length ? html`<li>and ${count - names.length} more</li>` : null;
    return html`<li><${Fold} summary=${summary}><ul class="names id">${names.map((name) => html`<li>${name}</li>`)}${more}</ul><//></li>`;
  };
  const total = backup.warnings.length > 0 ? plural(backup.warnings.length, "warning") : "no warning";
  return html`<${Panel} id="warnings" title="Warnings and findings" aside=${total}>
    <${Note} items=${backup.warnings} />
    <${Note} tone="bad" items=${[backup.findings?.unreadable_list]} />
    ${findings.length > 0 && html`<ul class="plain">${findings.map(item)}</ul>`}
  <//>`;
}

function Verification({ record }) {
  if (!record) return null;
  const tones = { passed: "good", failed: "bad", skipped: "" };
  const checks = record.verification?.checks ?? [];
  const columns = [
    { key: "subject", title: "Check", cell: (check) => check.subject },
    { key: "outcome", title: "Result", cell: (check) => html`<${State} tone=${tones[check.outcome]}>${check.outcome}<//>` },
    { key: "summary", title: "Figures", grow: true, cell: (check) => check.summary },
  ];
  const narrow = (check) => [check.subject, html`<${State} tone=${tones[check.outcome]}>${check.outcome}<//>`, check.summary];
  return html`<${Panel} id="verification" title="Proof" aside=${html`<span>${record.depth}, by a ${record.occasion ?? "restore"}</span><${Moment} at=${record.at} />`} bare>
    <${Note} tone="bad" items=${[record.failure]} />
    ${checks.length > 0 ? html`<${Table} label="Checks" columns=${columns} rows=${checks} rowKey=${(check) => check.subject} narrow=${narrow} />` : html`<${Quiet}>No check was made.<//>`}
  <//>`;
}

function Objects({ objects }) {
  const total = objects.reduce((sum, object) => sum + object.stored_bytes, 0);
  const columns = [
    { key: "key", title: "Object", cell: (object) => html`<span class="id">${object.key}</span>`, sort: (object) => object.key },
    { key: "size", title: "Size", number: true, cell: (object) => bytes(object.stored_bytes), sort: (object) => object.stored_bytes, down: true },
    { key: "sha", title: "SHA-256", cell: (object) => html`<span class="id" title=${object.sha256}>${object.sha256}</span>` },
  ];
  const narrow = (object) => [html`<span class="id">${object.key}</span>`, bytes(object.stored_bytes), html`<span class="id">${object.sha256}</span>`];
  return html`<${Panel} id="objects" title="Objects" aside=${`${plural(objects.length, "object")}, ${bytes(total)}: what a restore reads`} bare>
    <${Table} label="Objects" columns=${columns} rows=${objects} rowKey=${(object) => object.key} narrow=${narrow} by="key" most=${12} />
  <//>`;
}
