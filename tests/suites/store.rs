//! Tests the guarantees of `engine::store::Store` with each implementation: a folder, and S3 on a
//! real server.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "store/body.rs"]
mod body;
#[path = "store/cases.rs"]
mod cases;
#[path = "store/local.rs"]
mod local;
#[path = "store/s3.rs"]
mod s3;

/// One part of an upload in these tests: the minimum that S3 accepts for every part except the
/// last.
const PART: usize = 5 * 1024 * 1024;

/// Creates a test of each case for a store. `$open` returns the store, and a guard that must live
/// as long as the store.
macro_rules! conformance {
    ($name:ident, $open:path) => {
        mod $name {
            conformance!(@cases $open;
                content_survives_round_trip, ranges_are_read_exactly, missing_objects_are_not_found,
                create_new_refuses_existing_object, one_of_many_creators_wins, failed_body_leaves_nothing,
                dropped_put_leaves_nothing, replacing_is_atomic, parallel_puts_do_not_mix,
                parallel_puts_and_deletes_succeed, list_is_sorted_under_prefix, list_returns_all_pages,
                recent_foreign_leftovers_survive_sweep);
        }
    };
    (@cases $open:path; $($case:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, _alive) = $open().await;
                crate::cases::$case(store).await;
            }
        )*
    };
}

conformance!(local_store, crate::local::open);
conformance!(s3_store, crate::s3::open);
