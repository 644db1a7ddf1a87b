// The pages by address. A page is a function from its parameters to `{ title, nodes, concerns }`; `concerns(event, data)` says
// whether an event changes the page.

import { get, ask, path, post } from "./api.js";
import { calendar, HOLDS } from "./calendar.js";
import { chart } from "./chart.js";
import { announce, h } from "./dom.js";
import { bytes, count, figure, moment, plural, seconds } from "./format.js";
import { badge, button, facts, note, runBadge, runLength, stateBadge, table, tasks, trigger, trouble, when } from "./parts.js";

const YEAR = 366 * 86_400_000;
const job = (instance, name) => instance.jobs.find((job) => job.job === name);
const instanceLink = (name) => h("a", { href: `#${path("instances", name)}` }, name);
const backupHref = (instance, id) => `#${path("instances", instance, "backups", id)}`;
const what = (run) => `${run.job} of ${run.instance}${run.target ? ` to ${run.target}` : ""}`;
const runLink = (run) => h("a", { href: `#/runs/${run.id}` }, `run ${run.id}`);

async function start(instance, what) {
  const run = await post(`${path("instances", instance)}/runs`, { job: what });
  announce(`${what} of ${instance} started`);
  location.hash = `#/runs/${run.id}`;
}

export async function instances() {
  const [{ instances }, status] = await Promise.all([get("/instances"), get("/status")]);
  const { repository } = status;
  const nodes = [
    h("h1", {}, "Instances"),
    h(
      "p",
      { class: "quiet" },
      repository.refreshed_at
        ? [`${plural(repository.backups, "backup")}, ${bytes(repository.bytes)} in ${repository.location}, last read `, when(repository.refreshed_at), "."]
        : `${repository.location} has not been read yet.`,
    ),
    repository.error && trouble(repository.error),
    status.state_error && trouble(status.state_error),
    note(status.notifiers.map((notifier) => notifier.problem).filter(Boolean)),
    instances.length === 0 && h("p", {}, "The configuration has no instances."),
    h("ul", { class: "cards" }, instances.map((instance) => card(instance, status.runs))),
    status.runs.length > 0 && [h("h2", {}, "Running"), h("ul", { class: "cards" }, status.runs.map(liveCard))],
  ];
  return { title: "Instances", nodes, concerns: (event) => event !== "log" };
}

function card(instance, live) {
  const backup = job(instance, "backup");
  const running = live.find((run) => run.instance === instance.name && run.job === "backup");
  return h(
    "li",
    { class: "card" },
    h("div", { class: "top" }, h("h2", {}, instanceLink(instance.name)), running ? badge("backing up", "busy") : stateBadge(instance.state)),
    facts([
      ["Newest backup", instance.newest_backup ? h("a", { href: backupHref(instance.name, instance.newest_backup.id) }, when(instance.newest_backup.created_at)) : when(null)],
      ["Last verification", when(instance.newest_proof?.at)],
      ["Next run", backup?.next ? when(backup.next.begins) : "no schedule"],
      ["Stored", `${plural(instance.backups, "backup")}, ${bytes(instance.stored_bytes)}`],
    ]),
    note(instance.problems),
    h(
      "div",
      { class: "actions" },
      running ? h("a", { class: "button", href: `#/runs/${running.id}` }, "Watch") : button("Back up now", () => start(instance.name, "backup"), { id: `backup-${instance.name}` }),
    ),
  );
}

function liveCard(run) {
  return h(
    "li",
    { class: "card" },
    h("div", { class: "top" }, h("h2", {}, h("a", { href: `#/runs/${run.id}` }, what(run))), runBadge(run)),
    tasks(run.live),
  );
}

export async function instance(name) {
  const at = path("instances", name);
  const [instance, { backups, damaged }, { runs }] = await Promise.all([
    get(at),
    get(`${at}/backups?limit=1000`),
    get(`/runs?instance=${encodeURIComponent(name)}&limit=15`),
  ]);
  const since = Date.now() - YEAR;
  const year = backups.filter((backup) => new Date(backup.created_at) > since).reverse();
  const nodes = [
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Instances"), " / ", name),
    h("h1", {}, name, " ", stateBadge(instance.state)),
    note(instance.problems),
    facts([
      ["Newest backup", instance.newest_backup ? h("a", { href: backupHref(name, instance.newest_backup.id) }, when(instance.newest_backup.created_at)) : when(null)],
      ["Last verification", instance.newest_proof ? [when(instance.newest_proof.at), ` (${instance.newest_proof.depth})`] : when(null)],
      ["Retention", `${instance.retention}; ${instance.prunes ? "other backups are removed after the next good backup" : "nothing is removed after a backup, because `prune` is `false`"}`],
      ...instance.jobs.filter((each) => each.schedule).map((each) => [`${capital(each.job)} schedule`, [h("code", {}, each.schedule), ` ${each.timezone ?? ""}, next `, when(each.next?.begins)]]),
    ]),
    h(
      "div",
      { class: "actions" },
      button("Back up now", () => start(name, "backup"), { first: true, id: "do-backup" }),
      button("Check", () => start(name, "check"), { id: "do-check" }),
      button("Drill", () => start(name, "drill"), { id: "do-drill" }),
    ),
    h("h2", {}, "The past year"),
    calendar(year.map((backup) => ({ created_at: backup.created_at, hold: hold(backup), title: `${moment(backup.created_at)}: ${keptBy(backup)}`, href: backupHref(name, backup.id) }))),
    h(
      "div",
      { class: "charts" },
      chart("Size of database and files", year.map((backup) => point(backup, backup.database.dump_bytes + backup.filestore.bytes)), bytes, 1024),
      chart("Newly stored", year.map((backup) => point(backup, backup.stored_bytes)), bytes, 1024),
      chart("Duration", year.map((backup) => point(backup, (new Date(backup.finished_at) - new Date(backup.created_at)) / 1000)), seconds),
    ),
    h("h2", {}, "Backups"),
    damaged.map((each) => h("div", { class: "note bad" }, `${each.id}: ${each.error.message}`)),
    backups.length === 0
      ? h("p", { class: "quiet" }, "No backups yet.")
      : table(
          "Backups",
          ["Backup", "Created", "#Database", "#Files", "#Newly stored", "Verified", "Kept by"],
          backups.slice(0, 120).map((backup) => [
            h("a", { class: "id", href: backupHref(name, backup.id) }, backup.id),
            [moment(backup.created_at), backup.warnings.length > 0 && [" ", badge("warnings", "warn")]],
            bytes(backup.database.dump_bytes),
            count(backup.filestore.files),
            bytes(backup.stored_bytes),
            proof(backup),
            keptBy(backup),
          ]),
        ),
    backups.length > 120 && h("p", { class: "quiet" }, `${count(backups.length - 120)} older backups are not shown: run \`odoo-backup list ${name}\` to list all.`),
    h("h2", {}, "Runs"),
    runTable(runs),
  ];
  const concerns = (event, data) => ["repository", "lagged", "reloaded"].includes(event) || (["began", "ended"].includes(event) && data.run.instance === name);
  return { title: name, nodes, concerns };
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);
const point = (backup, value) => ({ at: backup.created_at, value, title: moment(backup.created_at) });

/** Returns whether a restored copy was verified. A backup with a known flaw is not shown as verified. */
function proof({ proof, flaws }) {
  if (flaws.length > 0) return badge("not good", "bad");
  if (!proof) return "–";
  return proof.outcome === "passed" ? [badge("verified", "good"), " ", when(proof.at)] : badge("failed verification", "bad");
}

/** Returns the strongest rule that keeps a backup, by its name in the calendar. */
function hold(backup) {
  if (backup.pinned) return "pinned";
  if (backup.keep === false) return "remove";
  const words = (backup.kept_by ?? []).map((reason) => reason.split(" ")[0]);
  return HOLDS.map(([name]) => name).find((name) => words.includes(name)) ?? "kept";
}

function keptBy(backup) {
  if (backup.keep === false) return "no rule";
  return backup.kept_by?.length > 0 ? backup.kept_by.join(", ") : backup.pinned ? "pinned" : "–";
}

export async function backup(name, id) {
  const at = `${path("instances", name, "backups", id)}`;
  const [backup, { targets }] = await Promise.all([get(at), get("/targets")]);
  const findings = Object.entries(backup.findings ?? {}).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : value > 0));
  const { database, filestore, attachments } = backup;
  const pin = async () => {
    if (backup.pinned) await ask("DELETE", `${at}/pin`);
    else await ask("PUT", `${at}/pin`, { note: null });
    window.dispatchEvent(new Event("hashchange"));
  };
  const files = h("div", {});
  const nodes = [
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Instances"), " / ", instanceLink(name), " / ", id),
    h("h1", {}, h("span", { class: "id" }, id), " ", backup.pinned && badge("pinned", "warn"), " ", backup.flaws.length > 0 ? badge("not good", "bad") : backup.warnings.length > 0 ? badge("with warnings", "warn") : badge("complete", "good")),
    note([...backup.flaws, ...backup.warnings]),
    facts([
      ["Created", [moment(backup.created_at), " (", when(backup.created_at), "), in ", seconds((new Date(backup.finished_at) - new Date(backup.created_at)) / 1000)]],
      ["Odoo", backup.odoo_series],
      ["Database", `${database.name}: ${bytes(database.dump_bytes)}${database.tables ? `, ${count(database.rows)} rows in ${count(database.tables)} tables` : ""}; PostgreSQL ${backup.server?.version ?? "?"}`],
      ["Filestore", `${plural(filestore.files, "file")}, ${bytes(filestore.bytes)}, in ${plural(filestore.volumes, "volume")}; new: ${plural(filestore.new_files, "file")}, ${bytes(filestore.new_bytes)}`],
      ["Attachments", attachments && `${count(attachments.rows)} rows, referencing ${count(attachments.files)} files; ${count(attachments.in_database)} in the database, ${count(attachments.elsewhere)} elsewhere`],
      ["Newly stored", bytes(backup.stored_bytes)],
      ["Proof", proof(backup)],
      ["Kept by", keptBy(backup)],
      ["Pinned", backup.pin && `${moment(backup.pin.pinned_at)}${backup.pin.note ? `: ${backup.pin.note}` : ""}`],
    ]),
    h(
      "div",
      { class: "actions" },
      button(backup.pinned ? "Unpin" : "Pin", pin, { id: "pin" }),
      attachments && button("Show files", () => showFiles(files, at), { id: "show-files" }),
    ),
    restoreForm(name, id, targets),
    findings.length > 0 && [
      h("h2", {}, "Findings in the filestore"),
      facts(findings.map(([kind, value]) => [capital(kind), Array.isArray(value) ? h("ul", {}, value.map((each) => h("li", { class: "id" }, each))) : count(value)])),
    ],
    backup.proof_record?.verification && [h("h2", {}, "Verification"), checks(backup.proof_record.verification)],
    files,
    h("h2", {}, "Objects"),
    table("Objects", ["Object", "#Size", "SHA-256"], (backup.objects ?? []).map((object) => [h("span", { class: "id" }, object.key), bytes(object.stored_bytes), h("span", { class: "id" }, object.sha256)])),
  ];
  return { title: `${name} ${id}`, nodes, concerns: () => false };
}

/** The restore form. A restore replaces the target, so its name must be typed. Production cannot be chosen here. */
function restoreForm(name, id, targets) {
  const command = h("p", { class: "quiet" }, "At the command line: ", h("code", {}, `odoo-backup restore ${name}/${id} --to TARGET`));
  if (targets.length === 0) return [h("h2", {}, "Restore"), command];
  const said = (target) => `${target.name} (database ${target.database}, ${target.neutralize ? "neutralized" : "NOT neutralized"})`;
  const target = h("select", { id: "restore-to", "aria-label": "Target" }, targets.map((each) => h("option", { value: each.name }, said(each))));
  const typed = h("input", { id: "restore-name", "aria-label": "Name of the target, to confirm", placeholder: "type the name to confirm", autocomplete: "off" });
  const begin = async () => {
    if (typed.value !== target.value) throw new Error(`Type ${target.value} to confirm: the restore replaces its present state, and keeps it for undo.`);
    const run = await post(`${path("targets", target.value)}/restores`, { instance: name, backup: id });
    announce(`restore to ${target.value} started`);
    location.hash = `#/runs/${run.id}`;
  };
  return [h("h2", {}, "Restore"), h("div", { class: "actions" }, target, typed, button("Restore", begin, { id: "restore" })), command];
}

function checks(verification) {
  const tone = { passed: "good", failed: "bad", skipped: "warn" };
  return table("Checks", ["Check", "Result", "Figures"], verification.checks.map((check) => [check.subject, badge(check.outcome, tone[check.outcome]), check.summary]));
}

async function showFiles(into, at) {
  const search = h("input", { id: "like", type: "search", "aria-label": "Name, model or path", placeholder: "name, model or path" });
  const found = h("div", {});
  const show = async (offset) => {
    const { files, next } = await get(`${at}/files?limit=50&offset=${offset}&like=${encodeURIComponent(search.value)}`);
    found.replaceChildren(
      files.length === 0
        ? h("p", { class: "quiet" }, "No files found.")
        : table("Files", ["#Id", "Name", "Record", "#Size", "Path"], files.map((file) => [String(file.id), file.name ?? "–", file.model ? `${file.model} ${file.record ?? ""}` : "–", bytes(file.size), h("span", { class: "id" }, file.path ?? "–")])),
      h("div", { class: "actions" }, offset > 0 && button("Previous", () => show(Math.max(0, offset - 50))), next !== null && next !== undefined && button("Next", () => show(next))),
    );
    announce(plural(files.length, "file"));
  };
  const form = h("form", { class: "actions", submit: (event) => { event.preventDefault(); show(0).catch((error) => found.replaceChildren(trouble(error))); } }, search, h("button", {}, "Search"));
  into.replaceChildren(h("h2", {}, "Files"), form, found);
  await show(0);
}

function runTable(runs) {
  if (runs.length === 0) return h("p", { class: "quiet" }, "No runs yet.");
  return table("Runs", ["Run", "Job", "Started", "#Duration", "Trigger", "Outcome"], runs.map((run) => [runLink(run), [`${run.job} of `, instanceLink(run.instance), run.target && ` to ${run.target}`], moment(run.began_at), runLength(run), trigger(run), runBadge(run)]));
}

export async function runs() {
  const list = h("div", {});
  const more = h("div", { class: "actions" });
  let shown = [];
  const show = async (before) => {
    const { runs, next } = await get(`/runs?limit=50${before ? `&before=${before}` : ""}`);
    shown = [...shown, ...runs];
    list.replaceChildren(runTable(shown));
    more.replaceChildren(...(next ? [button("Older", () => show(next))] : []));
  };
  await show(null);
  const concerns = (event) => ["began", "ended", "lagged"].includes(event) && shown.length <= 50;
  return { title: "Runs", nodes: [h("h1", {}, "Runs"), list, more], concerns };
}

export async function run(id) {
  const record = await get(path("runs", id));
  const log = await get(`${path("runs", id)}/log`).catch((error) => {
    if (error.status === 404) return { lines: [] };
    throw error;
  });
  const lines = h("pre", { class: "log", id: "log", tabindex: 0, role: "log", "aria-label": "Log", "data-empty": "No log lines yet." }, log.lines.map(logLine));
  const state = h("div", {});
  const show = (run) => {
    const outcome = run.outcome ?? {};
    state.replaceChildren(
      h("h1", {}, `${capital(what(run))} `, runBadge(run)),
      facts([
        ["Started", [moment(run.began_at), " ", trigger(run)]],
        ["Duration", run.ended_at ? runLength(run) : `${runLength(run)} so far`],
        ["Attempt", run.live?.attempt > 1 ? String(run.live.attempt) : null],
        ["Backup", outcome.backup && h("a", { href: backupHref(run.instance, outcome.backup) }, outcome.backup)],
        ...Object.entries(outcome.figures ?? {}).map(([name, value]) => figure(name, value)),
      ].filter((pair) => pair)),
      ...[note(outcome.warnings), outcome.error && trouble(outcome.error), run.live?.last_failure && trouble(run.live.last_failure), tasks(run.live)].filter(Boolean),
      ...(run.live && !run.live.stopping ? [h("div", { class: "actions" }, button("Cancel", () => post(`${path("runs", id)}/cancel`), { id: "cancel" }))] : []),
    );
  };
  show(record);
  const hear = (event, data) => {
    if (event === "progress" && data.run.id === record.id) show(data.run);
    if (event === "log" && data.run === record.id) {
      const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
      lines.append(logLine(data.line));
      if (atEnd) lines.scrollTop = lines.scrollHeight;
    }
    if (event === "ended" && data.run.id === record.id) announce(`${what(record)}: ${data.run.outcome?.result}`);
  };
  const concerns = (event, data) => event === "lagged" || (event === "ended" && data.run.id === record.id);
  const nodes = [h("p", { class: "crumbs" }, h("a", { href: "#/runs" }, "Runs"), ` / run ${id}`), state, h("h2", {}, "Log"), lines];
  return { title: `Run ${id}`, nodes, concerns, hear };
}

function logLine(line) {
  const more = Object.entries(line.fields ?? {}).map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join("");
  return `${line.at ? `${moment(line.at)}:${line.at.slice(17, 19)} ` : ""}${(line.level ?? "").padEnd(5)} ${line.message ?? ""}${more}\n`;
}
