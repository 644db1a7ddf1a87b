//! A database lives for some days. Each day is backed up, and each can be restored exactly.

use harness::project::{INSTANCE, Project};
use serde_json::Value;

use super::{add_table, assert_restores, id, initialised, now};

/// What happens to the database in a night.
const NIGHTS: [&str; 10] = [
    "SELECT 1",
    "INSERT INTO mail_message SELECT * FROM mail_message LIMIT 0; UPDATE res_partner SET name = name || '!' WHERE id % 9 = 0",
    "CREATE TABLE day AS SELECT n, md5(n::text) AS text FROM generate_series(1, 20000) n",
    "UPDATE day SET text = text || 'x' WHERE n % 50 = 0; DELETE FROM day WHERE n BETWEEN 3000 AND 3900",
    "ALTER TABLE day ADD COLUMN more integer DEFAULT 7; CREATE INDEX ON day (more)",
    "VACUUM FULL day",
    "CREATE INDEX by_text ON day (text); CLUSTER day USING by_text",
    "INSERT INTO day SELECT n + 20000, md5(n::text), 8 FROM generate_series(1, 20000) n",
    "TRUNCATE day",
    "DROP TABLE day; CREATE TABLE after AS SELECT n FROM generate_series(1, 1000) n",
];

/// `ODOO_BACKUP_TEST_DAYS`, otherwise one for each night.
fn days() -> usize {
    std::env::var("ODOO_BACKUP_TEST_DAYS").map_or(NIGHTS.len(), |days| days.parse().unwrap())
}

fn figure(backup: &Value, name: &str) -> u64 {
    backup["database"][name].as_u64().unwrap()
}

#[tokio::test]
async fn every_day_restores_exactly() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let cluster = project.cluster();
    let mut days: Vec<(Value, String)> = Vec::new();
    for day in 0..self::days() {
        // Each statement by itself: a vacuum runs in no transaction.
        NIGHTS[day % NIGHTS.len()].split("; ").for_each(|sql| drop(cluster.execute(INSTANCE, sql)));
        let copy = format!("day_{day}");
        cluster.execute("postgres", &format!("CREATE DATABASE {copy} TEMPLATE {INSTANCE}"));
        days.push((now(&program, 0, &[]).await, copy));
    }
    let [first, unchanged] = [0, 1].map(|day| &days[day].0["database"]);
    assert_eq!((&first["volumes"], &first["new_bytes"]), (&1.into(), &first["dump_bytes"]), "{first}");
    assert_eq!(&unchanged["chain"], &days[0].0["id"]);
    for (day, (backup, copy)) in days.iter().enumerate() {
        assert!(figure(backup, "volumes") <= 16, "{backup}");
        assert!(day == 0 || figure(backup, "new_bytes") < figure(backup, "dump_bytes"), "day {day}: {backup}");
        assert_restores(&project, &program, backup, copy).await;
    }
    program.run(["check", "--read-data"]).await.success();

    // The last day needs volumes of removed ones. They stay.
    let url = format!("url = \"file://{}\"", project.repository().display());
    let retention = "[instance.production.retention]\nkeep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\nhold_if_shrunk = 100\ngrace = \"1 second\"\n";
    project.write_config(&url, retention);
    program.run(["prune"]).await.success();
    program.run(["check", "--read-data"]).await.success();
    let (last, copy) = days.last().unwrap();
    assert_restores(&project, &program, last, copy).await;
}

#[tokio::test]
async fn unchanged_dump_costs_nearly_nothing() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    add_table(&project, "noise", 2000);
    let first = now(&program, 0, &[]).await;
    let second = now(&program, 0, &[]).await;
    assert_eq!(figure(&second, "dump_bytes"), figure(&first, "dump_bytes"));
    // The archive begins with the time of the dump.
    assert!(figure(&second, "new_bytes") <= 65_536 && figure(&second, "stored_bytes") < 50_000, "{second}");
    let show = program.run(["show", "latest"]).await.success().stdout;
    let chain = format!("based on 2 volumes since the full backup {}", id(&first));
    assert!(show.contains(&chain) && show.contains("; the dump is full again after "), "{show}");
    let shown = program.run(["show", id(&first)]).await.success().stdout;
    assert!(shown.contains("stored in full"), "{shown}");
}

#[tokio::test]
async fn backup_is_full_where_necessary() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let full = |backup: &Value| backup["database"]["chain"] == backup["id"];
    assert!(full(&now(&program, 0, &[]).await));
    assert!(!full(&now(&program, 0, &[]).await));
    assert!(full(&now(&program, 0, &["--full"]).await));
    assert!(!full(&now(&program, 0, &[]).await));

    let url = format!("url = \"file://{}\"", project.repository().display());
    project.write_config(&url, "");
    let config = std::fs::read_to_string(project.config()).unwrap();
    let due = config.replace("[target.", "full_every = \"1 millisecond\"\n\n[target.");
    std::fs::write(project.config(), due).unwrap();
    assert!(full(&now(&program, 0, &[]).await), "the last full one is too old");
}
