// The backups of an instance as a table.

import { bytes, plural, seconds } from "../format.js";
import { html } from "../html.js";
import { backupBytes, backupSeconds, hold, keptBy, to } from "../state.js";
import { Moment, When } from "../time.js";
import { State } from "./basic.js";
import { Table } from "./table.js";

/** What is known of a backup in one word. */
export function BackupState({ backup }) {
  if (backup.flaws.length > 0) return html`<span title=${backup.flaws.join("; ")}><${State} tone="bad">not good<//></span>`;
  if (backup.warnings.length > 0) return html`<span title=${backup.warnings.join("; ")}><${State} tone="warn">${plural(backup.warnings.length, "warning")}<//></span>`;
  return html`<${State} tone="good">complete<//>`;
}

/** What a restored copy has shown of a backup. */
export function Proof({ proof }) {
  if (!proof) return html`<span class="quiet">–</span>`;
  if (proof.outcome === "passed") return html`<span title=${proof.depth}><${State} tone="good">verified<//> <${When} at=${proof.at} /></span>`;
  return html`<${State} tone="bad">failed<//> <${When} at=${proof.at} />`;
}

export function BackupTable({ name, backups }) {
  const link = (backup) => html`<a href=${to.backup(name, backup.id)} data-main><${Moment} at=${backup.created_at} /></a>`;
  const columns = [
    { key: "created", title: "Created", cell: link, sort: (backup) => Date.parse(backup.created_at), down: true },
    { key: "state", title: "State", cell: (backup) => html`<${BackupState} backup=${backup} />`, sort: (backup) => 2 * backup.flaws.length + backup.warnings.length, down: true },
    { key: "size", title: "Size", number: true, cell: (backup) => bytes(backupBytes(backup)), sort: backupBytes, down: true },
    { key: "new", title: "New", number: true, cell: (backup) => bytes(backup.stored_bytes), sort: (backup) => backup.stored_bytes, down: true },
    { key: "took", title: "Duration", number: true, cell: (backup) => seconds(backupSeconds(backup)), sort: backupSeconds, down: true },
    { key: "proof", title: "Proof", cell: (backup) => html`<${Proof} proof=${backup.proof} />`, sort: (backup) => backup.proof && Date.parse(backup.proof.at), down: true },
    { key: "kept", title: "Kept by", grow: true, cell: (backup) => html`<span class=${`swatch ${hold(backup)}`}></span>${keptBy(backup)}` },
  ];
  const narrow = (backup) => [link(backup), html`<${BackupState} backup=${backup} />`, `${bytes(backupBytes(backup))}, ${bytes(backup.stored_bytes)} new; ${backup.proof?.outcome === "passed" ? "verified; " : ""}${keptBy(backup)}`];
  return html`<${Table} label="Backups" columns=${columns} rows=${backups} rowKey=${(backup) => backup.id} narrow=${narrow} by="created" empty="No backups yet." most=${20} />`;
}
