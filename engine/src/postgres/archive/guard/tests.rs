use std::io::Write as _;

use tokio::io::AsyncReadExt;

use super::super::forged::{ForgedEntry, archive, block};
use super::*;
use crate::stream::{body_of, produce};

async fn read(dump: Vec<u8>, purpose: GuardedFor) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match guarded(body_of(dump), "a dump", purpose).read_to_end(&mut bytes).await {
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

const TABLE: ForgedEntry<'_> = ForgedEntry {
    id: 2,
    has_data: true,
    tag: "t",
    kind: "TABLE DATA",
    section: 3,
    definition: "",
    drop: "",
    copy: "COPY public.t (a) FROM stdin;\n",
    owner: "odoo",
    depends: &[],
};

#[tokio::test]
async fn intact_dump_passes_unchanged() {
    let dump = archive(&[TABLE], &block(1, 2, "1\n2\n\\.\n\n\n"));
    for purpose in [GuardedFor::Restore, GuardedFor::Script] {
        assert_eq!(read(dump.clone(), purpose).await.unwrap(), dump);
    }
}

#[tokio::test]
async fn foreign_statement_never_leaves_the_body() {
    let evil = ForgedEntry { definition: "DROP DATABASE victim WITH (FORCE);", ..ForgedEntry::default() };
    let dump = archive(&[evil], b"");
    let mut handed_out = Vec::new();
    let error = guarded(body_of(dump), "a dump", GuardedFor::Restore).read_to_end(&mut handed_out).await.unwrap_err();
    let expected = "refused to run a dump: the entry TABLE public.x contains `DROP DATABASE victim WITH (FORCE);`, which pg_dump does not write there";
    assert_eq!(error.to_string(), expected);
    assert!(!handed_out.windows(6).any(|bytes| bytes == b"victim"));
}

#[tokio::test]
async fn block_of_another_kind_is_refused() {
    // pg_restore would run a table's block of an entry of large objects as SQL.
    let blobs =
        ForgedEntry { id: 3, has_data: true, kind: "BLOBS", tag: "BLOBS", section: 3, ..ForgedEntry::default() };
    let refused =
        read(archive(&[blobs], &block(1, 3, "DROP DATABASE victim;")), GuardedFor::Restore).await.unwrap_err();
    assert!(refused.contains("cannot be checked"), "{refused}");
}

#[tokio::test]
async fn script_with_hidden_statements_is_refused() {
    for rows in ["1\n\\.\nDROP DATABASE victim;\n\\.\n\n\n", "\\.\r\n\\! sh\n\\.\n\n\n"] {
        let dump = archive(&[TABLE], &block(1, 2, rows));
        assert!(read(dump.clone(), GuardedFor::Restore).await.is_ok(), "to a server it is data that is not read");
        let refused = read(dump, GuardedFor::Script).await.unwrap_err();
        assert!(refused.contains("follows the end of a table's rows"), "{refused}");
    }
}

#[tokio::test]
async fn failed_dump_keeps_its_error() {
    let (body, _) = produce::<(), _>(|out| {
        out.write_all(b"no archive at all")?;
        Err(io::Error::new(io::ErrorKind::TimedOut, "connection lost"))
    });
    let mut bytes = Vec::new();
    let error = guarded(body, "a dump", GuardedFor::Restore).read_to_end(&mut bytes).await.unwrap_err();
    assert_eq!(error.to_string(), "connection lost");
}
