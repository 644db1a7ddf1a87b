// One instance: how it is doing, its year, what keeps its backups, where they can be restored, and what ran.

import { get, path, query } from "../api.js";
import { bytes, capital, plural, seconds } from "../format.js";
import { html, useEffect, useMemo, useState } from "../html.js";
import { Action, Badge, Crumbs, Facts, Note, Panel, Pending } from "../parts/basic.js";
import { BackupTable } from "../parts/backups.js";
import { Calendar } from "../parts/calendar.js";
import { Chart, Numbers } from "../parts/chart.js";
import { RetentionPanel, useRetention } from "../parts/retention.js";
import { RunState, RunTable, Tasks, start } from "../parts/run.js";
import { Targets, useTargets } from "../parts/targets.js";
import { useLive, useResource } from "../store.js";
import { backupBytes, backupSeconds, hold, job, keptBy, problem, runsOf, sentence, stateOf, to, toneOf, what } from "../state.js";
import { When, Moment, moment, now } from "../time.js";

const YEAR = 366 * 86_400_000;
const PAGE = 1000;

/** Loads all backups of an instance, page by page. */
function useBackups(name) {
  const changes = (event, data) => event === "repository" || (event === "ended" && data.run.instance === name);
  const first = useResource(`${path("instances", name)}/backups?limit=${PAGE}`, changes);
  const [more, setMore] = useState({ of: null, backups: [] });
  useEffect(() => {
    let next = first.data?.next;
    if (!next) return undefined;
    let here = true;
    (async () => {
      const backups = [];
      while (next && here) {
        const page = await get(`${path("instances", name)}/backups${query({ limit: PAGE, before: next })}`);
        backups.push(...page.backups);
        next = page.next;
      }
      if (here) setMore({ of: first.data, backups });
    })().catch(() => {});
    return () => { here = false; };
  }, [first.data]);
  if (!first.data) return first;
  const backups = more.of === first.data ? [...first.data.backups, ...more.backups] : first.data.backups;
  return { ...first, data: { ...first.data, backups } };
}

export function Instance({ name }) {
  const at = path("instances", name);
  const isIts = (event, data) => ["repository", "reloaded"].includes(event) || (["began", "ended"].includes(event) && data.run.instance === name);
  const instance = useResource(at, isIts);
  const backups = useBackups(name);
  const targets = useTargets();
  const retention = useRetention(name);
  const runs = useResource(`/runs${query({ instance: name, limit: 30 })}`, isIts);
  const running = useMemo(() => runs.data?.runs.filter((run) => run.live), [runs.data]);
  const live = runsOf(useLive(running), name);
  useEffect(() => { document.title = `${name} – odoo-backup`; }, [name]);
  return html`<${Pending} of=${[instance]}>${() => html`
      <${Head} instance=${instance.data} live=${live} />
      <${Pending} of=${[backups, runs, targets]}>${() => html`<${Body} name=${name} instance=${instance.data} backups=${backups.data} runs=${runs.data.runs} targets=${targets.data.targets} retention=${retention} />`}<//>`}
    <//>`;
}

function Head({ instance, live }) {
  const { name } = instance;
  const state = stateOf(instance);
  return html`<header>
      <${Crumbs} way=${[["Overview", to.overview], [name]]} />
      <div class="title">
        <h1>${name}</h1>
        <${Badge} tone=${toneOf(state)}>${state === "new" ? "no backup yet" : state}<//>
        <div class="actions push">
          <${Action} id="do-backup" first act=${() => start(name, "backup")}>Back up now<//>
          <${Action} id="do-check" act=${() => start(name, "check")}>Check<//>
          <${Action} id="do-drill" act=${() => start(name, "drill")}>Drill now<//>
        </div>
      </div>
      <p class="lead">${sentence(instance, job(instance, "backup")?.next)}</p>
    </header>
    ${state !== "new" && html`<${Note} tone=${toneOf(state)} items=${instance.problems.map(linked)} />`}
    ${live.map((run) => html`<div class="note running" key=${run.id}><div class="live"><div><a href=${to.run(run.id)}>${capital(what(run))}</a> <${RunState} run=${run} /></div><${Tasks} live=${run.live} /></div></div>`)}
    <${Panel} id="facts" title="At a glance"><${Facts} pairs=${facts(instance)} /><//>`;
}

/** A problem with the run that it speaks of. */
function linked(message) {
  const { text, run } = problem(message);
  return run === null ? text : html`${text} <a href=${to.run(run)}>Run ${run}</a>`;
}

function facts(instance) {
  const { name, newest_backup: newest, newest_proof: proof } = instance;
  const schedules = instance.jobs.filter((each) => each.schedule);
  const schedule = (each) => [
    `${capital(each.job)} schedule`,
    html`<code>${each.schedule}</code> ${each.timezone ?? ""}${each.next && html`, next <${Moment} at=${each.next.begins} />`}`,
  ];
  return [
    ["Newest backup", newest ? html`<a href=${to.backup(name, newest.id)}><${Moment} at=${newest.created_at} /></a>, ${bytes(backupBytes(newest))}, in ${seconds(backupSeconds(newest))}` : html`<${When} />`],
    ["Verified", proof ? html`<a href=${to.backup(name, proof.backup)}><${Moment} at=${proof.at} /></a> (${proof.depth}), the backup of <${Moment} at=${proof.created_at} />` : "no restored copy was verified yet"],
    ["Stored", `${bytes(instance.stored_bytes)} in ${plural(instance.backups, "backup")}${instance.damaged ? `; ${plural(instance.damaged, "backup")} cannot be read` : ""}`],
    ...schedules.map(schedule),
    ["Stale", instance.stale_after_seconds ? `when the newest good backup is older than ${seconds(instance.stale_after_seconds)}` : "never: there is neither a schedule nor `stale_after`"],
  ];
}

function Body({ name, instance, backups: { backups, damaged }, runs, targets, retention }) {
  const year = useMemo(() => backups.filter((backup) => Date.parse(backup.created_at) > now() - YEAR).reverse(), [backups]);
  const points = (value) => year.map((backup) => ({ at: backup.created_at, value: value(backup) }));
  const series = [
    ["Size of database and files", points(backupBytes), bytes],
    ["Newly stored", points((backup) => backup.stored_bytes), bytes],
    ["Duration", points(backupSeconds), seconds],
  ];
  const days = year.map((backup) => ({ created_at: backup.created_at, hold: hold(backup), title: `${moment(backup.created_at)}: ${keptBy(backup)}`, href: to.backup(name, backup.id) }));
  return html`
    <${Panel} id="year" title="The past year" aside=${plural(year.length, "backup")}>
      <${Calendar} backups=${days} />
      <div class="charts">${series.map(([title, points, format]) => html`<${Chart} key=${title} title=${title} points=${points} format=${format} base=${format === bytes ? 1024 : 60} />`)}</div>
      <${Numbers} series=${series} />
    <//>
    <div class="columns">
      <${Targets} targets=${targets} instance=${name} />
      <${RetentionPanel} instance=${instance} retention=${retention} />
    </div>
    <${Panel} id="backups" title="Backups" aside=${`${plural(backups.length, "backup")}, newest first`} bare>
      <${Note} tone="bad" items=${(damaged ?? []).map(({ id, error }) => `${id} cannot be read: ${error.message}`)} />
      <${BackupTable} name=${name} backups=${backups} />
    <//>
    <${Panel} id="runs" title="Latest runs" aside=${html`<a href=${to.runsOf(name)}>All runs</a>`} bare><${RunTable} runs=${runs} /><//>`;
}
