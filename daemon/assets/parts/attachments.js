// The attachments of a backup: searched, and each downloaded.

import { get, query } from "../api.js";
import { bytes, count, plural } from "../format.js";
import { html, useState } from "../html.js";
import { announce } from "../store.js";
import { Action, Panel, Trouble } from "./basic.js";
import { AttachmentDownload } from "./download.js";
import { Table } from "./table.js";

const PAGE = 50;

export function Attachments({ at, of, attachments }) {
  const [text, setText] = useState("");
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const search = async (like, offset) => {
    setBusy(true);
    try {
      const page = await get(`${at}/files${query({ limit: PAGE, offset, like })}`);
      setFound({ ...page, like, offset });
      setError(null);
      announce(plural(page.count, "attachment"));
    } catch (error) {
      setError(error);
    } finally {
      setBusy(false);
    }
  };
  const submit = (event) => {
    event.preventDefault();
    if (!busy) search(text, 0);
  };
  const form = html`<form class="search" onSubmit=${submit}>
    <input id="like" type="search" value=${text} aria-label="Name, model or path of an attachment" placeholder="Name, model or path" onInput=${(event) => setText(event.target.value)} />
    <button id="show-files" aria-busy=${busy}>Search</button>
  </form>`;
  return html`<${Panel} id="attachments" title="Attachments" aside=${form} bare>
    <${Trouble} error=${error} />
    ${found ? html`<${Found} of=${of} found=${found} turn=${(offset) => search(found.like, offset)} />` : html`<p class="quiet">${plural(attachments.rows, "attachment")}. Search by name, model or path; an empty search lists all of them.</p>`}
  <//>`;
}

function Found({ of, found, turn }) {
  const { files, offset, next } = found;
  const link = (file) => (file.path ? html`<${AttachmentDownload} of=${of} file=${file} />` : html`<span title="Its content is not in the filestore">${file.name}</span>`);
  const record = (file) => (file.model ? `${file.model} ${file.record ?? ""}` : "–");
  const columns = [
    { key: "name", title: "Name", cell: link },
    { key: "record", title: "Record", cell: record },
    { key: "size", title: "Size", number: true, cell: (file) => bytes(file.size) },
    { key: "id", title: "Id", number: true, cell: (file) => String(file.id) },
    { key: "path", title: "Path", cell: (file) => html`<span class="id">${file.path ?? "–"}</span>` },
  ];
  const narrow = (file) => [link(file), bytes(file.size), `${record(file)}; id ${file.id}`];
  const range = files.length > 0 ? `${count(offset + 1)} to ${count(offset + files.length)} of ${plural(found.count, "attachment")}` : "";
  return html`<${Table} label="Attachments" columns=${columns} rows=${files} rowKey=${(file) => file.id} narrow=${narrow} empty="No attachment matches." />
    <div class="more actions">
      <span class="quiet" role="status">${range}</span>
      ${offset > 0 && html`<${Action} act=${() => turn(Math.max(0, offset - PAGE))}>Previous<//>`}
      ${next !== null && next !== undefined && html`<${Action} act=${() => turn(next)}>Next<//>`}
    </div>`;
}
