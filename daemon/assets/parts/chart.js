// A line chart over time: one series, an axis from zero, and the value under the pointer; its numbers are in a table.

import { html, useState } from "../html.js";
import { date, moment } from "../time.js";

// About as large as it is displayed, so that its text is as large as other text.
const WIDTH = 400;
const HEIGHT = 140;
const LEFT = 62;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 22;

/** Round durations in seconds, whose halves are round too. */
const DURATIONS = [1, 2, 4, 10, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

/** Returns the least round number that is not below `value`; units are powers of `base`, or of time for 60. */
function ceiling(value, base) {
  if (value <= 0) return 1;
  if (base === 60) return DURATIONS.find((step) => step >= value) ?? 86_400 * Math.ceil(value / 86_400);
  const unit = base === 1024 ? 1024 ** Math.floor(Math.log(value) / Math.log(1024)) : 10 ** Math.floor(Math.log10(value));
  const steps = base === 1024 ? [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024] : [1, 1.5, 2, 3, 4, 5, 6, 8, 10];
  return unit * (steps.find((step) => step * unit >= value) ?? base);
}

/** A chart of `points`, `{ at, value }` in order of time. `format` formats a value; `base` is 1024 for bytes, 60 for seconds. */
export function Chart({ title, points, format, base = 10 }) {
  const [over, setOver] = useState(null);
  if (points.length < 2) return html`<figure class="chart"><figcaption>${title}</figcaption><p class="quiet">Shown once there are two backups.</p></figure>`;
  const times = points.map((point) => Date.parse(point.at));
  const [from, to] = [times[0], times[times.length - 1]];
  const top = ceiling(Math.max(...points.map((point) => point.value)), base);
  const x = (time) => LEFT + ((time - from) / Math.max(1, to - from)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const line = points.map((point, index) => `${x(times[index]).toFixed(1)},${y(point.value).toFixed(1)}`);
  const newest = points[points.length - 1];
  const point = over === null ? newest : points[over];
  const move = (event) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    const at = ((event.clientX - left) / width) * WIDTH;
    let nearest = 0;
    times.forEach((time, index) => { if (Math.abs(x(time) - at) < Math.abs(x(times[nearest]) - at)) nearest = index; });
    setOver(nearest);
  };
  const label = `${title}: from ${format(points[0].value)} on ${date(from)} to ${format(newest.value)} on ${date(to)}`;
  return html`<figure class="chart">
    <figcaption><span>${title}</span><output aria-live="off">${format(point.value)}, ${over === null ? "newest" : moment(point.at)}</output></figcaption>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${label} onPointerMove=${move} onPointerDown=${move} onPointerLeave=${() => setOver(null)}>
      ${[0, 0.5, 1].map((part) => html`<line x1=${LEFT} x2=${WIDTH - RIGHT} y1=${y(part * top)} y2=${y(part * top)} class="grid" /><text x=${LEFT - 7} y=${y(part * top) + 4} class="axis end">${part === 0 ? "0" : format(part * top)}</text>`)}
      ${over !== null && html`<line x1=${x(times[over])} x2=${x(times[over])} y1=${TOP} y2=${HEIGHT - BOTTOM} class="cursor" />`}
      <polyline points=${line.join(" ")} class="line-path" />
      ${points.map((each, index) => html`<circle cx=${x(times[index])} cy=${y(each.value)} r=${index === over ? 4 : 1.8} class="dot" />`)}
      <text x=${LEFT} y=${HEIGHT - 6} class="axis">${date(from)}</text>
      <text x=${WIDTH - RIGHT} y=${HEIGHT - 6} class="axis end">${date(to)}</text>
    </svg>
  </figure>`;
}

const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** The numbers of charts: `[title, points, format]`. */
export function Numbers({ series }) {
  const of = (points) => points.map((point) => point.value);
  const cells = [["Newest", (points) => points[points.length - 1].value], ["Least", (points) => Math.min(...of(points))], ["Median", (points) => middle(of(points))], ["Most", (points) => Math.max(...of(points))]];
  if (series[0][1].length < 2) return null;
  return html`<details><summary>Numbers</summary><div class="scroll" tabindex="0" role="region" aria-label="Numbers"><table>
    <thead><tr><th scope="col"><span class="unseen">Figure</span></th>${cells.map(([words]) => html`<th scope="col" class="number">${words}</th>`)}</tr></thead>
    <tbody>${series.map(([title, points, format]) => html`<tr><th scope="row">${title}</th>${cells.map(([, cell]) => html`<td class="number">${format(cell(points))}</td>`)}</tr>`)}</tbody>
  </table></div></details>`;
}
