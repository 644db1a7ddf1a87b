// The log of a run: it grows while the run runs, and can be searched and limited to a level.

import { path } from "../api.js";
import { count, plural } from "../format.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { useEvents, useResource } from "../store.js";
import { clock, date, moment, zone } from "../time.js";
import { Panel, Trouble } from "./basic.js";

const LEVELS = ["error", "warn", "info"];
/** So many lines are drawn; the search covers all. */
const MOST = 1000;

export function Log({ id }) {
  const number = Number(id);
  const loaded = useResource(`${path("runs", id)}/log`);
  const [newer, setNewer] = useState([]);
  const [text, setText] = useState("");
  const [level, setLevel] = useState("info");
  const box = useRef(null);
  const atEnd = useRef(true);
  useEffect(() => setNewer([]), [loaded.data]);
  useEvents((name, data) => name === "log" && data.run === number && setNewer((lines) => [...lines, data.line]));
  useLayoutEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  // A run that has not logged yet has no log.
  const isMissing = loaded.error?.status === 404;
  const known = loaded.data?.lines ?? [];
  const last = known[known.length - 1]?.at ?? "";
  const lines = [...known, ...newer.filter((line) => line.at > last || !known.some((each) => each.at === line.at && each.message === line.message))];
  const wanted = text.trim().toLowerCase();
  const rank = LEVELS.indexOf(level);
  const matching = lines.filter((line) => LEVELS.indexOf(line.level ?? "info") <= rank && (!wanted || `${line.message} ${fields(line)}`.toLowerCase().includes(wanted)));
  const shown = matching.slice(-MOST);
  const tools = html`<span role="status">${matching.length === lines.length ? plural(lines.length, "line") : `${count(matching.length)} of ${plural(lines.length, "line")}`}</span>
    <label>Level <select id="level" value=${level} onChange=${(event) => setLevel(event.target.value)}>
      ${LEVELS.map((each) => html`<option value=${each}>${{ error: "errors", warn: "warnings and errors", info: "all" }[each]}</option>`)}
    </select></label>
    <div class="search"><input id="log-search" type="search" value=${text} aria-label="Search the log" placeholder="Search the log ( / )" onInput=${(event) => setText(event.target.value)} /></div>`;
  const scrolled = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => { atEnd.current = scrollHeight - scrollTop - clientHeight < 40; };
  const skipped = (loaded.data?.left_off ?? 0) + matching.length - shown.length;
  return html`<${Panel} id="log-panel" title="Log" aside=${tools} bare>
    ${!isMissing && html`<${Trouble} error=${loaded.error} />`}
    ${skipped > 0 && html`<p class="quiet">${plural(skipped, "earlier line")} left out.</p>`}
    ${shown.length === 0 ? html`<p class="quiet">${lines.length === 0 ? "No log lines yet." : "No line matches."}</p>` : html`<p class="quiet log-day">From ${moment(shown[0].at)}; times in ${zone()}.</p>`}
    <div class="log" id="log" tabindex="0" role="log" aria-label="Log" ref=${box} onScroll=${scrolled}>${shown.map((line, index) => html`<${Line} key=${`${line.at} ${index}`} line=${line} before=${shown[index - 1]} wanted=${wanted} />`)}</div>
  <//>`;
}

const fields = (line) =>
  Object.entries(line.fields ?? {}).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ");

function Line({ line, before, wanted }) {
  const text = `${line.message ?? ""} ${fields(line)}`.trim();
  // A line of another day says so.
  const day = before && date(before.at) !== date(line.at) ? `${date(line.at)} ` : "";
  return html`<div class=${`log-line ${line.level}`}><time class="quiet" datetime=${line.at} title=${moment(line.at, { exact: true })}>${day}${clock(line.at)}</time><span class="level quiet">${line.level}</span><span>${marked(text, wanted)}</span></div>`;
}

function marked(text, wanted) {
  const at = wanted ? text.toLowerCase().indexOf(wanted) : -1;
  if (at < 0) return text;
  return html`${text.slice(0, at)}<mark>${text.slice(at, at + wanted.length)}</mark>${text.slice(at + wanted.length)}`;
}
