// The phases of a run: each with its time, and a running one with percent, rate and the time that is left.

import { bytes, percent, seconds } from "../format.js";
import { html } from "../html.js";
import { now } from "../time.js";
import { State } from "./basic.js";

/** The phases of a run that runs, as the API says them, each with a bar where its size is known. */
export function LivePhases({ phases }) {
  const line = (phase) => {
    const took = seconds(((phase.ended_at ? Date.parse(phase.ended_at) : now()) - Date.parse(phase.began_at)) / 1000);
    if (phase.ended_at) return `${phase.done_bytes ? `${bytes(phase.done_bytes)} in ` : ""}${took}`;
    const size = phase.total_bytes ? `${percent(phase.done_bytes, phase.total_bytes)}, ${bytes(phase.done_bytes)} of ${bytes(phase.total_bytes)}` : phase.done_bytes ? bytes(phase.done_bytes) : "";
    const speed = phase.bytes_per_second ? `${bytes(phase.bytes_per_second)}/s` : "";
    const left = phase.eta_seconds !== null && phase.eta_seconds !== undefined ? `${seconds(phase.eta_seconds)} left` : "";
    return [size, speed, left, took].filter(Boolean).join(", ");
  };
  const item = (phase) => {
    const isDone = Boolean(phase.ended_at);
    const bar = !isDone && phase.total_bytes > 0 && html`<progress max=${phase.total_bytes} value=${Math.min(phase.done_bytes, phase.total_bytes)} aria-label=${phase.name} />`;
    return html`<li><div class="line"><${State} tone=${isDone ? "good" : "busy"}>${words(phase)}<//><span class="quiet">${line(phase)}</span></div>${bar}</li>`;
  };
  return html`<ol class="tasks" aria-label="Phases">${phases.map(item)}</ol>`;
}

const words = (phase) => phase.name.replaceAll("_", " ");

/** The phases of a run that ended, with what each took. */
export function Phases({ phases }) {
  if (!phases || phases.length === 0) return null;
  return html`<ol class="phases" aria-label="Phases">${phases.map((phase) => html`<li><span>${words(phase)}</span> <span class="quiet">${seconds(phase.milliseconds / 1000)}</span></li>`)}</ol>`;
}
