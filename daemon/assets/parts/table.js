// Tables: sortable by their headers, by keyboard from row to row, and on a phone a list of two lines a row.

import { html, useState } from "../html.js";
import { useNarrow } from "../store.js";

const collator = new Intl.Collator("en", { numeric: true });

function compare(a, b) {
  // What has no value comes last, whatever the direction.
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : 2;
  if (b === null || b === undefined) return -2;
  return typeof a === "string" ? collator.compare(a, b) : Math.sign(a - b);
}

function sorted(rows, column, down) {
  if (!column?.sort) return rows;
  const keyed = rows.map((row) => [column.sort(row), row]);
  keyed.sort(([a], [b]) => {
    const order = compare(a, b);
    return Math.abs(order) === 2 ? order : down ? -order : order;
  });
  return keyed.map(([, row]) => row);
}

/**
 * A table. `columns`: `{ key, title, cell(row), sort(row), number, down, grow }`; a column with `sort` can be sorted by, from
 * the largest on if `down`. `narrow(row)` returns `[first line, its end, second line]` for a phone. `most` rows are shown until
 * the reader asks for all.
 */
export function Table({ label, columns, rows, rowKey, narrow, by = null, empty = "Nothing here.", most = Infinity, rowClass = () => "" }) {
  const [order, setOrder] = useState({ key: by, down: columns.find(({ key }) => key === by)?.down ?? false });
  const [all, setAll] = useState(false);
  const isNarrow = useNarrow();
  if (rows.length === 0) return html`<p class="quiet empty">${empty}</p>`;
  const column = columns.find(({ key }) => key === order.key);
  const ordered = sorted(rows, column, order.down);
  const shown = all ? ordered : ordered.slice(0, most);
  const rest = ordered.length - shown.length;
  const more = rest > 0 && html`<p class="more"><button type="button" onClick=${() => setAll(true)}>Show ${rest} more</button></p>`;
  if (isNarrow && narrow) {
    return html`<${SortMenu} columns=${columns} order=${order} onOrder=${setOrder} label=${label} />
      <ul class="rows" aria-label=${label}>
        ${shown.map((row) => {
          const [first, end, second] = narrow(row);
          return html`<li key=${rowKey(row)} class=${rowClass(row)} data-row><div class="line"><span class="start">${first}</span><span class="end">${end}</span></div><div class="line quiet">${second}</div></li>`;
        })}
      </ul>
      ${more}`;
  }
  const head = (each) => {
    const title = html`<span>${each.title}</span>`;
    if (!each.sort) return html`<th scope="col" class=${each.number && "number"}>${title}</th>`;
    const isBy = each.key === order.key;
    const turn = () => setOrder({ key: each.key, down: isBy ? !order.down : each.down ?? false });
    return html`<th scope="col" class=${each.number && "number"} aria-sort=${isBy ? (order.down ? "descending" : "ascending") : "none"}><button type="button" class="sort" onClick=${turn}>${title}<span class="arrow" aria-hidden="true">${isBy ? (order.down ? "▾" : "▴") : ""}</span></button></th>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${`Table: ${label}`}>
      <table>
        <thead><tr>${columns.map(head)}</tr></thead>
        <tbody>${shown.map(
          (row) => html`<tr key=${rowKey(row)} class=${rowClass(row)} data-row>${columns.map((each) => html`<td class=${`${each.number ? "number" : ""} ${each.grow ? "grow" : ""}`}>${each.cell(row)}</td>`)}</tr>`,
        )}</tbody>
      </table>
    </div>
    ${more}`;
}

function SortMenu({ columns, order, onOrder, label }) {
  const sortable = columns.filter((column) => column.sort);
  if (!order.key || sortable.length < 2) return null;
  const chosen = (event) => onOrder({ key: event.target.value, down: sortable.find(({ key }) => key === event.target.value).down ?? false });
  return html`<p class="sort-menu"><label>Sort by <select aria-label=${`Sort ${label} by`} value=${order.key} onChange=${chosen}>${sortable.map(({ key, title }) => html`<option value=${key} selected=${key === order.key}>${title}</option>`)}</select></label></p>`;
}

/** Moves the focus to the main link of the next row, or of the one before: `step` is 1 or -1. Returns whether there is one. */
export function stepRow(step) {
  const links = [...document.querySelectorAll("[data-row] a[data-main]")];
  if (links.length === 0) return false;
  const at = links.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
  links[next].focus();
  links[next].closest("[data-row]").scrollIntoView({ block: "nearest" });
  return true;
}
