// Formats figures. Sizes are in powers of 1024, as on the command line.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  let unit = 0;
  let number = value;
  while (number >= 1024 && unit < UNITS.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? number : number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0)} ${UNITS[unit]}`;
}

export function count(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en");
}

/** `1 file`, `2 files`. */
export function plural(value, word) {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 10) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Formats a figure of a run, whose name ends in its unit. */
export function figure(name, value) {
  const units = [["_milliseconds", (number) => seconds(number / 1000)], ["_seconds", seconds], ["_bytes", bytes]];
  const [unit, format] = units.find(([unit]) => name.endsWith(unit)) ?? ["", count];
  const words = name.slice(0, name.length - unit.length).replaceAll("_", " ");
  return [words[0].toUpperCase() + words.slice(1), format(value)];
}

/** `2026-11-21 02:00`, in the browser's time. */
export function moment(text) {
  if (!text) return "–";
  const time = new Date(text);
  const two = (number) => String(number).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** `3 hours ago`, `in 5 minutes`. */
export function relative(text, now = Date.now()) {
  if (!text) return "never";
  const past = (now - new Date(text)) / 1000;
  const size = Math.abs(past);
  const [number, unit] =
    size < 90 ? [size, "second"] : size < 5400 ? [size / 60, "minute"] : size < 129600 ? [size / 3600, "hour"] : [size / 86400, "day"];
  const rounded = Math.max(0, Math.round(number));
  const words = `${rounded} ${unit}${rounded === 1 ? "" : "s"}`;
  return past >= 0 ? `${words} ago` : `in ${words}`;
}
