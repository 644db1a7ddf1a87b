// The keys of the page, and the list of them.

import { html, useEffect, useRef } from "./html.js";
import { Dialog } from "./parts/dialog.js";
import { stepRow } from "./parts/table.js";
import { to } from "./state.js";

const LIST = [
  ["/", "Search"],
  ["j, ↓", "Next row"],
  ["k, ↑", "Previous row"],
  ["Enter", "Open the row"],
  ["Esc", "Clear the search; close a dialog"],
  ["g o", "Go to the overview"],
  ["g r", "Go to the runs"],
  ["g p", "Go to the repositories"],
  ["u", "Show times in UTC, or in this browser's zone"],
  ["?", "Show these keys"],
];

const PLACES = { o: to.overview, r: to.runs, p: to.repositories };

const isTyping = (element) => element.matches("input, select, textarea, [contenteditable]") || element.closest("dialog");

/** Calls `actions[key]()` when a key is pressed outside of a field, and moves from row to row. */
export function useKeys(actions, enabled) {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    if (!enabled) return undefined;
    let afterG = 0;
    const pressed = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const { key } = event;
      if (performance.now() - afterG < 1500 && PLACES[key]) {
        afterG = 0;
        location.hash = PLACES[key];
      } else if (key === "g") afterG = performance.now();
      else if (key === "/") {
        const field = document.querySelector("input[type=search]");
        if (!field) return;
        field.focus();
        field.select();
      } else if (["j", "ArrowDown", "k", "ArrowUp"].includes(key)) {
        const isArrow = key.startsWith("Arrow");
        // Arrows scroll the page until a row has the focus.
        if (isArrow && !document.activeElement.closest("[data-row]")) return;
        if (!stepRow(key === "j" || key === "ArrowDown" ? 1 : -1)) return;
      } else if (latest.current[key]) latest.current[key]();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [enabled]);
}

export function KeysDialog({ open, onClose }) {
  return html`<${Dialog} open=${open} onClose=${onClose} title="Keys">
    <table class="keys"><tbody>${LIST.map(([keys, words]) => html`<tr><td>${keys.split(", ").map((key) => html`<kbd>${key}</kbd> `)}</td><td>${words}</td></tr>`)}</tbody></table>
    <div class="actions"><button type="button" onClick=${onClose}>Close</button></div>
  <//>`;
}
