// Times: in the browser's zone or in UTC, always with the zone, and by the daemon's clock.

import { html } from "./html.js";
import { NONE } from "./format.js";

const CHOICE = "odoo-backup-utc";
const store = {
  read: () => { try { return localStorage.getItem(CHOICE); } catch { return null; } },
  write: (value) => { try { localStorage.setItem(CHOICE, value); } catch { /* The choice lasts until a reload. */ } },
};

let utc = store.read() === "yes";
/** How far the daemon's clock is ahead of the browser's, in milliseconds. */
let ahead = 0;
let formatters = null;

export const isUtc = () => utc;

export function setUtc(value) {
  utc = value;
  formatters = null;
  store.write(value ? "yes" : "no");
}

/** Takes the daemon's clock. */
export function setClock(text) {
  const difference = new Date(text) - Date.now();
  // A difference of less than two seconds is the time of the answer.
  ahead = Math.abs(difference) < 2000 ? 0 : difference;
}

/** Returns the present by the daemon's clock, in milliseconds. */
export const now = () => Date.now() + ahead;

function parts(time) {
  if (!formatters) {
    const two = "2-digit";
    const options = { year: "numeric", month: two, day: two, hour: two, minute: two, second: two, hourCycle: "h23", timeZoneName: "short" };
    // Each English knows the abbreviations of its own zones alone.
    formatters = ["en-GB", "en-US", "en-AU"].map((locale) => new Intl.DateTimeFormat(locale, { ...options, timeZone: utc ? "UTC" : undefined }));
  }
  const read = (formatter) => Object.fromEntries(formatter.formatToParts(time).map(({ type, value }) => [type, value]));
  const all = read(formatters[0]);
  for (const formatter of formatters.slice(1)) {
    if (!/^(GMT|UTC)[+-]/.test(all.timeZoneName)) break;
    all.timeZoneName = read(formatter).timeZoneName;
  }
  all.timeZoneName = all.timeZoneName.replace(/^GMT(?=[+-])/, "UTC");
  return all;
}

/** The name of the zone that times are shown in, at this moment. */
export const zone = () => parts(new Date(now())).timeZoneName;

/** `2026-11-21`, in the zone that is shown. */
export function date(time) {
  const { year, month, day } = parts(new Date(time));
  return `${year}-${month}-${day}`;
}

/** `2026-11-21 02:00 CET`; with seconds where lines follow fast upon each other. */
export function moment(text, { exact = false } = {}) {
  if (!text) return NONE;
  const { year, month, day, hour, minute, second, timeZoneName } = parts(new Date(text));
  return `${year}-${month}-${day} ${hour}:${minute}${exact ? `:${second}` : ""} ${timeZoneName}`;
}

/** `02:00:31`: the time of a day, for lists that name the day and the zone elsewhere. */
export function clock(text) {
  const { hour, minute, second } = parts(new Date(text));
  return `${hour}:${minute}:${second}`;
}

/** `3 hours ago`, `in 5 minutes`. */
export function relative(text) {
  if (!text) return "never";
  const past = (now() - new Date(text)) / 1000;
  const size = Math.abs(past);
  const [number, unit] =
    size < 90 ? [size, "second"] : size < 5400 ? [size / 60, "minute"] : size < 129_600 ? [size / 3600, "hour"] : [size / 86_400, "day"];
  const rounded = Math.max(0, Math.round(number));
  const words = `${rounded} ${unit}${rounded === 1 ? "" : "s"}`;
  return past >= 0 ? `${words} ago` : `in ${words}`;
}

/** How long ago, with the time itself as title. */
export function When({ at, never = "never" }) {
  return at ? html`<time datetime=${at} title=${moment(at)}>${relative(at)}</time>` : html`<span class="quiet">${never}</span>`;
}

/** The time itself, with how long ago as title. */
export function Moment({ at }) {
  return at ? html`<time datetime=${at} title=${relative(at)}>${moment(at)}</time>` : NONE;
}
