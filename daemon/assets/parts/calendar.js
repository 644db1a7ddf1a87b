// The backups of the past year: a column per week and a cell per day, coloured by the rule that keeps the backup.

import { html, useEffect, useRef } from "../html.js";
import { HOLDS } from "../state.js";
import { date, now } from "../time.js";

const CELL = 13;
const GAP = 3;
const STEP = CELL + GAP;
const LEFT = 32;
const TOP = 18;
const WEEKS = 53;
const DAY = 86_400_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** The fewest weeks between the labels of two months. */
const ROOM = 3;

/** Returns the number of days since 1970, in the zone that is shown. */
const day = (time) => Date.parse(`${date(time)}T00:00:00Z`) / DAY;

/** Returns the day of the week. Monday is 0; 1970-01-01 was a Thursday. */
const weekday = (number) => (number + 3) % 7;

/** Returns `[week, label]` for each month that begins in the calendar, none of which collide. */
function months(first, last) {
  const labels = [];
  for (let week = 0; week < WEEKS; week += 1) {
    const monday = new Date((first + 7 * week) * DAY);
    const before = new Date((first + 7 * (week - 1)) * DAY);
    if (week > 0 && monday.getUTCMonth() === before.getUTCMonth()) continue;
    const month = monday.getUTCMonth();
    labels.push([week, month === 0 ? `${MONTHS[month]} ${monday.getUTCFullYear()}` : MONTHS[month]]);
  }
  const hasRoom = ([week], index) => week + ROOM <= Math.min(labels[index + 1]?.[0] ?? WEEKS, Math.ceil((last - first) / 7) + 1);
  return labels.filter(hasRoom);
}

/**
 * The calendar of `backups`: `{ created_at, hold, title, href }`. Of several backups of a day, the one that is kept for longest
 * gives the colour.
 */
export function Calendar({ backups }) {
  const scroll = useRef(null);
  useEffect(() => {
    // If the calendar does not fit, the newest weeks are shown, also after a phone was rotated.
    const box = scroll.current;
    const observer = new ResizeObserver(() => (box.scrollLeft = box.scrollWidth));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  const last = day(now());
  const first = last - weekday(last) - 7 * (WEEKS - 1);
  const days = new Map();
  for (const backup of backups) {
    const number = day(backup.created_at);
    if (number < first || number > last) continue;
    days.set(number, [...(days.get(number) ?? []), backup]);
  }
  const rank = (backup) => HOLDS.findIndex(([name]) => name === backup.hold);
  const cells = [];
  for (let number = first; number <= last; number += 1) {
    const square = { x: LEFT + Math.floor((number - first) / 7) * STEP, y: TOP + weekday(number) * STEP, width: CELL, height: CELL, rx: 3 };
    const text = new Date(number * DAY).toISOString().slice(0, 10);
    const here = (days.get(number) ?? []).sort((a, b) => rank(a) - rank(b));
    if (here.length === 0) {
      cells.push(html`<rect ...${square} class="day"><title>${text}: no backup</title></rect>`);
      continue;
    }
    const what = here.map((backup) => backup.title).join("\n");
    const more = here.length > 1 ? ` (${here.length} backups)` : "";
    cells.push(html`<a href=${here[0].href} aria-label=${`${text}: ${what}`}><rect ...${square} class=${`day ${here[0].hold}`}><title>${`${text}${more}\n${what}`}</title></rect></a>`);
  }
  const used = new Set(backups.map((backup) => backup.hold));
  const legend = HOLDS.filter(([name]) => used.has(name));
  return html`<figure class="calendar">
    <div class="scroll" tabindex="0" role="region" aria-label="Calendar" ref=${scroll}>
      <svg viewBox=${`0 0 ${LEFT + WEEKS * STEP} ${TOP + 7 * STEP}`} role="group" aria-label="Backups of the past year by day">
        ${months(first, last).map(([week, words]) => html`<text x=${LEFT + week * STEP} y="11" class="axis">${words}</text>`)}
        ${[[0, "Mon"], [2, "Wed"], [4, "Fri"]].map(([row, name]) => html`<text x="0" y=${TOP + row * STEP + CELL - 2} class="axis">${name}</text>`)}
        ${cells}
      </svg>
    </div>
    <figcaption><ul class="legend">${legend.map(([name, words]) => html`<li><span class=${`swatch ${name}`}></span>${words}</li>`)}</ul></figcaption>
  </figure>`;
}
