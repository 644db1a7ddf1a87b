//! The promises of `engine::store::Store`, held against each implementation: a folder, and S3 on a real server.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "store/body.rs"]
mod body;
#[path = "store/cases.rs"]
mod cases;
#[path = "store/local.rs"]
mod local;
#[path = "store/s3.rs"]
mod s3;

/// One part of an upload in these tests: the least that S3 takes for any part but the last.
const PART: usize = 5 * 1024 * 1024;

/// Makes a test of each case for a store. `$open` returns the store and what must live as long as it does.
macro_rules! conformance {
    ($name:ident, $open:path) => {
        mod $name {
            conformance!(@cases $open;
                round_trips, ranges, missing_objects, create_new_refuses_what_is_there, one_of_many_creators_wins,
                a_failed_body_leaves_nothing, a_dropped_put_leaves_nothing, replacing_is_atomic,
                puts_at_the_same_time, puts_and_deletes_at_the_same_time, lists_in_order_under_a_prefix, lists_many_pages,
                foreign_leftovers_survive_a_young_sweep);
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
