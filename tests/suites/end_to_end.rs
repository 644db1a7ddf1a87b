//! The suites that test the program from outside, in one binary: each is a module, and
//! `cargo nextest run faults::` runs one of them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod by_hand;
mod connections;
mod consistency;
mod copies;
mod daemon;
mod deploy;
mod dump_volumes;
mod export;
mod faults;
mod frozen;
mod hostile_repository;
mod import;
mod incremental;
mod main_job;
mod majors;
mod memory;
mod real_world;
mod scale;
mod snapshots;
