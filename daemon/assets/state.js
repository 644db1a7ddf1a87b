// How instances, backups and runs are doing: one word, its tone, and one sentence.

import { capital, plural } from "./format.js";
import { moment, now, relative } from "./time.js";

/** The words for instances, the worst first, each with its tone. */
export const STATES = [
  ["failed", "bad"],
  ["stale", "bad"],
  ["warning", "warn"],
  ["unknown", ""],
  ["new", ""],
  ["ok", "good"],
];

export const job = (instance, name) => instance.jobs.find((each) => each.job === name);

/** Returns the word for an instance. One without a backup, of which nothing failed, is new. */
export function stateOf(instance) {
  const severity = instance.severity ?? instance.condition.severity;
  if (instance.state === "empty") return instance.backups === 0 && instance.damaged === 0 ? "new" : "failed";
  if (instance.state === "unknown" && severity === "failed") return "failed";
  return instance.state === "failing" ? "failed" : instance.state;
}

export const toneOf = (state) => STATES.find(([word]) => word === state)?.[1] ?? "";
export const rankOf = (state) => STATES.findIndex(([word]) => word === state);

/** Returns the runs of an instance that run or are queued. */
export const runsOf = (live, name) => [...live.values()].filter((run) => run.instance === name);

const TIME = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const FAILED_RUN = /^the latest (\w+) \(run (\d+), ([^)]+)\) (?:failed: )?/;

/** Returns what a problem's message says: `{ text, run, cause }`, with ages instead of times; problems of one `cause` are one. */
export function problem(message) {
  const match = FAILED_RUN.exec(message);
  if (!match) return { text: capital(message.replace(TIME, (time) => moment(time))), run: null, cause: message.replace(/[0-9]{8}T[0-9]{6}Z-\w+|[0-9]+/g, "") };
  const [all, job, run, at] = match;
  const why = message.slice(all.length);
  return { text: `${capital(job)} failed ${relative(at)}: ${why}`, run: Number(run), cause: `${job} ${why}` };
}

/** Says in one sentence how an instance is doing; `next` is the slot of its next run. */
export function sentence(instance, next) {
  const later = next ? `the next backup begins ${relative(next.begins)}` : "no backup is scheduled";
  const newest = instance.newest_backup;
  const proof = instance.newest_proof;
  const made = newest ? `the newest backup was made ${relative(newest.created_at)}` : "there is no backup";
  const proven = proof ? `a restored copy was verified ${relative(proof.at)}` : "no restored copy was verified yet";
  const others = instance.problems.length > 1 ? ` and ${plural(instance.problems.length - 1, "other problem")}` : "";
  switch (stateOf(instance)) {
    case "new":
      return `There is no backup yet; ${later}.`;
    case "unknown":
      return "The repository has not been read yet.";
    case "ok":
      return `${capital(made)}; ${proven}; ${later}.`;
    default:
      return `${REASONS[instance.condition.reasons[0]?.reason] ?? "Something is wrong"}${others}; ${made}; ${later}.`;
  }
}

const REASONS = {
  repository_unread: "The repository cannot be read",
  repository_outdated: "The repository cannot be read now",
  folder_unreadable: "A folder of the repository cannot be read",
  clock: "The clocks of this machine and of the repository differ",
  manifest_unreadable: "A manifest cannot be read",
  backup_damaged: "A backup is damaged",
  backup_future: "A backup is dated in the future",
  backup_refuted: "A backup failed verification",
  no_good_backup: "There is no good backup",
  stale: "The newest good backup is too old",
  run_failed: "The latest run failed",
  run_lost: "The latest run was interrupted",
  backup_warnings: "The newest backup has warnings",
  retention_held: "Retention removes nothing",
};

const PHASES = { waiting: "queued", working: "running", pausing: "waiting to retry", ending: "ending" };
const RESULTS = { failed: ["failed", "bad"], lost: ["interrupted", "bad"], cancelled: ["cancelled", ""], elsewhere: ["done by another daemon", "good"] };

/** Returns the state of a run: `[word, tone]`. */
export function runState(run) {
  if (run.live?.stopping) return ["stopping", "busy"];
  if (run.live) return [PHASES[run.live.phase] ?? run.live.phase, "busy"];
  if (!run.outcome) return ["running", "busy"];
  if (run.outcome.result === "done") return run.outcome.warnings?.length > 0 ? ["done with warnings", "warn"] : ["done", "good"];
  return RESULTS[run.outcome.result] ?? [run.outcome.result, ""];
}

/** `backup of production`, `restore of production to staging`, `undo of staging`. */
export function what(run) {
  if (run.job === "undo") return `undo of ${run.target}`;
  return `${run.job} of ${run.instance}${run.target ? ` to ${run.target}` : ""}`;
}

/** How long a run took, or has taken so far, in seconds. */
export const runSeconds = (run) => ((run.ended_at ? new Date(run.ended_at) : now()) - new Date(run.began_at)) / 1000;

export function trigger(run) {
  if (run.trigger?.by !== "schedule") return "on request";
  return run.trigger.late ? "by schedule, late" : "by schedule";
}

/** How long a backup took, in seconds. */
export const backupSeconds = (backup) => (new Date(backup.finished_at) - new Date(backup.created_at)) / 1000;

/** The database before compression, and the files. */
export const backupBytes = (backup) => (backup.database ? backup.database.dump_bytes + backup.filestore.bytes : backup.dump_bytes + backup.filestore_bytes);

/** The rules that can keep a backup, the strongest first, by their name in the calendar. */
export const HOLDS = [
  ["pinned", "pinned"],
  ["yearly", "yearly"],
  ["monthly", "monthly"],
  ["weekly", "weekly"],
  ["daily", "daily"],
  ["kept", "kept by another rule"],
  ["remove", "removed by the next prune"],
];

/** Returns the strongest rule that keeps a backup. */
export function hold(backup) {
  if (backup.pinned) return "pinned";
  if (backup.keep === false) return "remove";
  const words = (backup.kept_by ?? []).map((reason) => reason.split(" ")[0]);
  return HOLDS.map(([name]) => name).find((name) => words.includes(name)) ?? "kept";
}

export function keptBy(backup) {
  if (backup.keep === false) return "no rule: the next prune removes it";
  return backup.kept_by?.length > 0 ? backup.kept_by.join(", ") : backup.pinned ? "pinned" : "–";
}

/** The addresses of pages. */
export const to = {
  overview: "#/",
  runs: "#/runs",
  runsOf: (name) => `#/runs?instance=${encodeURIComponent(name)}`,
  repositories: "#/repositories",
  instance: (name) => `#/instances/${encodeURIComponent(name)}`,
  backup: (name, id) => `#/instances/${encodeURIComponent(name)}/backups/${encodeURIComponent(id)}`,
  run: (id) => `#/runs/${id}`,
};
