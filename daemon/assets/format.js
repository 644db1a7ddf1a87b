// Formats figures. Sizes are in powers of 1024, as on the command line.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export const NONE = "–";

export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  let unit = 0;
  let number = value;
  // 1023.7 would be shown as 1024 of the smaller unit.
  while (number >= 1023.5 && unit < UNITS.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(number) : number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0)} ${UNITS[unit]}`;
}

export function count(value) {
  return value === null || value === undefined ? NONE : value.toLocaleString("en");
}

/** `1 file`, `2 files`; words that end in `y` or `sh` get their own plural. */
export function plural(value, word) {
  if (value === 1) return `1 ${word}`;
  const many = /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : /(s|sh|ch|x)$/.test(word) ? `${word}es` : `${word}s`;
  return `${count(value)} ${many}`;
}

export function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (value < 10) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  const two = (first, second, rest, other) => (rest === 0 ? `${first} ${second}` : `${first} ${second} ${rest} ${other}`);
  if (whole < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 172_800) return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return two(Math.floor(whole / 86_400), "d", Math.floor((whole % 86_400) / 3600), "h");
}

/** A part in percent; never 100 % while something is missing. */
export function percent(part, whole) {
  if (!whole) return NONE;
  return `${Math.min(part < whole ? 99 : 100, Math.floor((100 * part) / whole))} %`;
}

/** Formats a figure of a run, whose name ends in its unit. */
export function figure(name, value) {
  const units = [["_milliseconds", (number) => seconds(number / 1000)], ["_seconds", seconds], ["_bytes", bytes]];
  const [unit, format] = units.find(([unit]) => name.endsWith(unit)) ?? ["", count];
  return [capital(name.slice(0, name.length - unit.length).replaceAll("_", " ")), format(value)];
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
