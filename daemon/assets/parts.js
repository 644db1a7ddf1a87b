// Pieces that more than one page shows.

import { h } from "./dom.js";
import { bytes, moment, relative, seconds } from "./format.js";

/** Shows a problem, an Explanation of the API, or any error: what failed, why, and what to do. */
export function trouble(error) {
  const causes = error.causes ?? [];
  return h(
    "div",
    { class: "note bad", role: "alert" },
    error.message ?? String(error),
    causes.length > 0 && h("ul", {}, causes.map((cause) => h("li", {}, cause))),
    error.hint && h("div", {}, `Hint: ${error.hint}`),
  );
}

export function note(sentences) {
  if (!sentences || sentences.length === 0) return null;
  if (sentences.length === 1) return h("div", { class: "note" }, sentences[0]);
  return h("div", { class: "note" }, h("ul", {}, sentences.map((sentence) => h("li", {}, sentence))));
}

const STATES = {
  ok: ["good", "ok"],
  warning: ["warn", "warning"],
  failing: ["bad", "failing"],
  stale: ["bad", "stale"],
  empty: ["warn", "no good backup"],
  unknown: ["", "unknown"],
};

export function stateBadge(state) {
  const [tone, words] = STATES[state] ?? ["", state];
  return badge(words, tone);
}

export function badge(words, tone = "") {
  return h("span", { class: `badge ${tone}` }, words);
}

/** Returns the state of a run as a badge. */
export function runBadge(run) {
  if (run.live?.stopping) return badge("stopping", "busy");
  const phases = { waiting: "queued", working: "running", pausing: "waiting to retry", ending: "ending" };
  if (run.live) return badge(phases[run.live.phase] ?? run.live.phase, "busy");
  const outcome = run.outcome;
  if (!outcome) return badge("running", "busy");
  if (outcome.result === "done") return outcome.warnings?.length > 0 ? badge("with warnings", "warn") : badge("done", "good");
  const words = { failed: ["failed", "bad"], lost: ["interrupted", "bad"], cancelled: ["cancelled", "warn"], elsewhere: ["done by another daemon", "good"] };
  return badge(...(words[outcome.result] ?? [outcome.result]));
}

/** Returns a time and how long ago it was. */
export function when(time) {
  return time ? h("time", { datetime: time, title: moment(time) }, relative(time)) : h("span", { class: "quiet" }, "never");
}

/** Returns a list of terms: `[term, description]`; those without a description are left out. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== false);
  return h("dl", {}, shown.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
}

/** Returns a table that scrolls by itself on a narrow page. A header that starts with `#` is for numbers. */
export function table(label, headers, rows) {
  const numeric = headers.map((header) => header.startsWith("#"));
  const cell = (name, value, index, more = {}) => h(name, { class: numeric[index] && "number", ...more }, value);
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, headers.map((header, index) => cell("th", header.replace(/^#/, ""), index, { scope: "col" })))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value, index) => cell("td", value, index))))),
    ),
  );
}

/** Returns the progress of the tasks of a run. */
export function tasks(live) {
  if (!live?.tasks || live.tasks.length === 0) return null;
  const item = (task) =>
    h(
      "li",
      {},
      h("div", { class: "line" }, h("span", {}, task.name), h("span", { class: "quiet" }, task.total_bytes ? `${bytes(task.done_bytes)} of ${bytes(task.total_bytes)}` : bytes(task.done_bytes))),
      task.total_bytes ? h("progress", { max: task.total_bytes, value: Math.min(task.done_bytes, task.total_bytes), "aria-label": task.name }) : null,
    );
  return h("ul", { class: "tasks" }, live.tasks.map(item));
}

export function runLength(run, now = Date.now()) {
  const end = run.ended_at ? new Date(run.ended_at) : now;
  return seconds((end - new Date(run.began_at)) / 1000);
}

export function trigger(run) {
  if (run.trigger?.by !== "schedule") return "on request";
  return run.trigger.late ? "by schedule, late" : "by schedule";
}

/** Returns a button that runs one action at a time and shows next to it why an action failed. */
export function button(words, act, { first = false, id = null } = {}) {
  const element = h("button", {
    type: "button",
    id,
    class: first && "first",
    click: async () => {
      element.disabled = true;
      if (element.nextElementSibling?.matches(".note")) element.nextElementSibling.remove();
      try {
        await act();
      } catch (error) {
        if (error.status !== 401) element.after(trouble(error));
      } finally {
        element.disabled = false;
      }
    },
  }, words);
  return element;
}
