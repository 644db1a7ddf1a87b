// A line chart over time: one series, an axis from zero, a title on each point.

import { h, s } from "./dom.js";

// About as large as it is displayed, so that its text is as large as other text.
const WIDTH = 360;
const HEIGHT = 150;
const LEFT = 66;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 24;

/** Returns the least round number that is not below `value`; units are powers of `base`. */
function ceiling(value, base) {
  if (value <= 0) return 1;
  const unit = base === 1024 ? 1024 ** Math.floor(Math.log(value) / Math.log(1024)) : 10 ** Math.floor(Math.log10(value));
  const steps = base === 1024 ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] : [1, 2, 5, 10];
  return unit * (steps.find((step) => step * unit >= value) ?? base);
}

/** Returns a chart of `points`, `{ at, value, title }` in order of time. `format` formats a value. */
export function chart(title, points, format, base = 10) {
  if (points.length < 2) return h("figure", { class: "chart" }, h("figcaption", {}, title), h("p", { class: "quiet" }, "Shown once there are two backups."));
  const times = points.map((point) => new Date(point.at).getTime());
  const [from, to] = [times[0], times[times.length - 1]];
  const top = ceiling(Math.max(...points.map((point) => point.value)), base);
  const x = (time) => LEFT + ((time - from) / Math.max(1, to - from)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const line = points.map((point, index) => `${x(times[index]).toFixed(1)},${y(point.value).toFixed(1)}`);
  const date = (time) => new Date(time).toISOString().slice(0, 10);
  const grid = [0, 0.5, 1].map((part) => [
    s("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(part * top), y2: y(part * top), class: "grid" }),
    s("text", { x: LEFT - 8, y: y(part * top) + 4, class: "axis end" }, format(part * top)),
  ]);
  const dots = points.map((point, index) =>
    s("circle", { cx: x(times[index]), cy: y(point.value), r: 2, class: "dot" }, s("title", {}, `${point.title}: ${format(point.value)}`)),
  );
  const latest = points[points.length - 1];
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, title),
    s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: from ${format(points[0].value)} on ${date(from)} to ${format(latest.value)} on ${date(to)}` },
      grid,
      s("polyline", { points: line.join(" "), class: "line" }),
      dots,
      s("text", { x: LEFT, y: HEIGHT - 6, class: "axis" }, date(from)),
      s("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, class: "axis end" }, date(to)),
    ),
  );
}
