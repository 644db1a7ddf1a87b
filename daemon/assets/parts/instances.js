// The table of instances.

import { bytes, count, seconds } from "../format.js";
import { html } from "../html.js";
import { backupBytes, backupSeconds, rankOf, runsOf, toneOf, to } from "../state.js";
import { When } from "../time.js";
import { State } from "./basic.js";
import { Table } from "./table.js";

const time = (text) => (text ? Date.parse(text) : null);
const nextOf = ({ instance }) => instance.next?.begins;

export function InstanceTable({ rows, live, empty }) {
  const name = ({ instance }) => html`<a href=${to.instance(instance.name)} data-main>${instance.name}</a>`;
  const state = (row) => {
    const [run] = runsOf(live, row.instance.name);
    return html`<${State} tone=${toneOf(row.state)}>${row.state}<//>${run && html` <a class="busy-link" href=${to.run(run.id)}><${State} tone="busy">${run.job}<//></a>`}`;
  };
  const newest = ({ instance }) => instance.newest_backup;
  const age = (row) => (newest(row) ? html`<a href=${to.backup(row.instance.name, newest(row).id)}><${When} at=${newest(row).created_at} /></a>` : html`<${When} />`);
  const columns = [
    { key: "state", title: "State", cell: state, sort: (row) => rankOf(row.state) },
    { key: "name", title: "Instance", cell: name, sort: ({ instance }) => instance.name },
    { key: "newest", title: "Newest backup", cell: age, sort: (row) => time(newest(row)?.created_at), down: true },
    { key: "size", title: "Size", number: true, cell: (row) => (newest(row) ? bytes(backupBytes(newest(row))) : "–"), sort: (row) => newest(row) && backupBytes(newest(row)), down: true },
    { key: "new", title: "New", number: true, cell: (row) => bytes(newest(row)?.stored_bytes), sort: (row) => newest(row)?.stored_bytes, down: true },
    { key: "took", title: "Duration", number: true, cell: (row) => (newest(row) ? seconds(backupSeconds(newest(row))) : "–"), sort: (row) => newest(row) && backupSeconds(newest(row)), down: true },
    { key: "proof", title: "Verified", cell: ({ instance }) => html`<${When} at=${instance.newest_proof?.at} />`, sort: ({ instance }) => time(instance.newest_proof?.at), down: true },
    { key: "next", title: "Next run", cell: (row) => html`<${When} at=${nextOf(row)} never="not scheduled" />${nextOf(row) && row.instance.next.job !== "backup" ? `, ${row.instance.next.job}` : ""}`, sort: (row) => time(nextOf(row)) },
    { key: "backups", title: "Backups", number: true, cell: ({ instance }) => count(instance.backups), sort: ({ instance }) => instance.backups, down: true },
    { key: "stored", title: "Stored", number: true, cell: ({ instance }) => bytes(instance.stored_bytes), sort: ({ instance }) => instance.stored_bytes, down: true },
  ];
  const narrow = (row) => [
    name(row),
    state(row),
    newest(row) ? html`${age(row)}, ${bytes(backupBytes(newest(row)))}; ${nextOf(row) ? html`next <${When} at=${nextOf(row)} />` : "not scheduled"}` : html`no backup; ${nextOf(row) ? html`next <${When} at=${nextOf(row)} />` : "not scheduled"}`,
  ];
  return html`<${Table} label="Instances" columns=${columns} rows=${rows} rowKey=${({ instance }) => instance.name} narrow=${narrow} by="state" empty=${empty} most=${100} />`;
}
