// What needs attention: the worst first, and one line for one cause.

import { plural } from "../format.js";
import { html } from "../html.js";
import { problem, rankOf, to, toneOf } from "../state.js";
import { Fold, Panel, State } from "./basic.js";

/** So many are shown; the table has all. */
const MOST = 8;
const WORDS = [["failed", "all failed"], ["stale", "all stale"], ["warning", "all with warnings"]];

/** Groups instances of the same state and cause: one server that is down is one problem. */
function grouped(wrong) {
  const groups = new Map();
  for (const row of wrong) {
    const key = `${row.state} ${problem(row.instance.problems[0] ?? "").cause}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

export function Problems({ all, onState }) {
  const wrong = all.filter(({ state }) => WORDS.some(([word]) => word === state));
  if (wrong.length === 0) return null;
  wrong.sort((a, b) => rankOf(a.state) - rankOf(b.state));
  const groups = grouped(wrong);
  const rest = groups.slice(MOST).flat();
  const links = WORDS.filter(([word]) => rest.some(({ state }) => state === word));
  return html`<${Panel} id="attention" title="Needs attention" aside=${plural(wrong.length, "instance")} bare>
    <ul class="problems">${groups.slice(0, MOST).map((group) => html`<${Group} key=${group[0].instance.name} group=${group} />`)}</ul>
    ${rest.length > 0 && html`<p class="more">${plural(rest.length, "other instance")}: ${links.map(([word, words], index) => html`${index > 0 && ", "}<button type="button" class="link" onClick=${() => onState(word)}>${words}</button>`)}</p>`}
  <//>`;
}

function Group({ group: [{ instance, state }, ...same] }) {
  const [first, ...more] = instance.problems;
  const { text, run } = problem(first ?? "");
  return html`<li data-row>
    <${State} tone=${toneOf(state)}>${state}<//>
    <a href=${to.instance(instance.name)} data-main>${instance.name}</a>
    <div class="why">${text}${more.length > 0 && html` <span class="quiet">and ${plural(more.length, "other problem")}</span>`}</div>
    <span class="run">${run !== null && html`<a href=${to.run(run)}>run ${run}</a>`}</span>
    ${same.length > 0 && html`<div class="others"><${Fold} summary=${`and ${plural(same.length, "other instance")}`}><ul class="also">${same.map(({ instance: { name } }) => html`<li><a href=${to.instance(name)}>${name}</a></li>`)}</ul><//></div>`}
  </li>`;
}
