// The overview, made of longer answers of the API.

import { useResource } from "./store.js";

const changes = (name) => !["log", "progress"].includes(name);

function nextOf(instance) {
  const slots = instance.jobs.filter(({ next }) => next).map(({ job, next }) => ({ instance: instance.name, job, begins: next.begins }));
  return slots.sort((a, b) => (a.begins < b.begins ? -1 : 1))[0] ?? null;
}

function compact({ instances }, { repository }, { runs }) {
  const since = new Date(Date.now() - 86_400_000).toISOString();
  const day = runs.filter((run) => run.began_at > since);
  const failed = day.filter((run) => ["failed", "lost"].includes(run.outcome?.result)).length;
  const rows = instances.map((instance) => ({ ...instance, next: nextOf(instance) }));
  const next = rows.map((row) => row.next).filter(Boolean).sort((a, b) => (a.begins < b.begins ? -1 : 1))[0] ?? null;
  return { instances: rows, totals: { stored_bytes: repository.bytes, backups: repository.backups, last_day: { runs: day.length, failed }, next } };
}

export function useOverview() {
  const list = useResource("/instances", changes);
  const status = useResource("/status", changes);
  const runs = useResource("/runs?limit=500", changes);
  const error = list.error ?? status.error ?? runs.error;
  return { data: list.data && status.data && runs.data ? compact(list.data, status.data, runs.data) : null, error };
}
