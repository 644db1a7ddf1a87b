// The backups of the past year: a column per week and a cell per day, coloured by the rule that keeps the backup.

import { h, s } from "./dom.js";

const CELL = 13;
const GAP = 3;
const STEP = CELL + GAP;
const LEFT = 30;
const TOP = 18;
const WEEKS = 53;
const DAY = 86_400_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The rules that can keep a backup, the strongest first. */
export const HOLDS = [
  ["pinned", "pinned"],
  ["yearly", "yearly"],
  ["monthly", "monthly"],
  ["weekly", "weekly"],
  ["daily", "daily"],
  ["kept", "kept by another rule"],
  ["remove", "not kept by any rule"],
];

/** Returns the number of days since 1970, in the time zone of the browser. */
function day(time) {
  return Math.floor((time.getTime() - time.getTimezoneOffset() * 60_000) / DAY);
}

/** Returns the day of the week. Monday is 0; 1970-01-01 was a Thursday. */
function weekday(number) {
  return (number + 3) % 7;
}

/**
 * Returns the calendar of `backups`: `{ created_at, hold, title, href }`.
 * Of several backups of a day, the one that is kept for longest gives the colour.
 */
export function calendar(backups, today = new Date()) {
  const last = day(today);
  const first = last - weekday(last) - 7 * (WEEKS - 1);
  const days = new Map();
  for (const backup of backups) {
    const number = day(new Date(backup.created_at));
    if (number < first || number > last) continue;
    days.set(number, [...(days.get(number) ?? []), backup]);
  }
  const rank = (backup) => HOLDS.findIndex(([name]) => name === backup.hold);
  const cells = [];
  const labels = [];
  let month = -1;
  for (let number = first; number <= last; number += 1) {
    const date = new Date(number * DAY);
    const week = Math.floor((number - first) / 7);
    const x = LEFT + week * STEP;
    const y = TOP + weekday(number) * STEP;
    if (date.getUTCMonth() !== month && weekday(number) === 0) {
      month = date.getUTCMonth();
      if (week < WEEKS - 2) labels.push(s("text", { x, y: 11, class: "axis" }, MONTHS[month]));
    }
    const here = (days.get(number) ?? []).sort((a, b) => rank(a) - rank(b));
    const text = date.toISOString().slice(0, 10);
    const square = { x, y, width: CELL, height: CELL, rx: 3 };
    if (here.length === 0) {
      cells.push(s("rect", { ...square, class: "day" }, s("title", {}, `${text}: no backup`)));
    } else {
      const [strongest] = here;
      const what = here.map((backup) => backup.title).join("\n");
      const more = here.length > 1 ? ` (${here.length} backups)` : "";
      const rect = s("rect", { ...square, class: `day ${strongest.hold}` }, s("title", {}, `${text}${more}\n${what}`));
      cells.push(s("a", { href: strongest.href, "aria-label": `${text}: ${what}` }, rect));
    }
  }
  for (const [row, name] of [[0, "Mon"], [2, "Wed"], [4, "Fri"]]) {
    labels.push(s("text", { x: 0, y: TOP + row * STEP + CELL - 2, class: "axis" }, name));
  }
  const picture = s(
    "svg",
    { viewBox: `0 0 ${LEFT + WEEKS * STEP} ${TOP + 7 * STEP}`, role: "group", "aria-label": "Backups of the past year by day" },
    labels,
    cells,
  );
  const legend = HOLDS.map(([name, words]) => h("li", {}, h("span", { class: `swatch ${name}` }), words));
  const scroll = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Calendar" }, picture);
  // If the calendar does not fit, the newest weeks are shown, also after a phone was rotated.
  new ResizeObserver(() => (scroll.scrollLeft = scroll.scrollWidth)).observe(scroll);
  return h("figure", { class: "calendar" }, scroll, h("figcaption", {}, h("ul", { class: "legend" }, legend)));
}
