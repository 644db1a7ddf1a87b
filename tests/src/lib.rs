//! The base of the tests: a real PostgreSQL, a real S3 server, data in Odoo's shape.
//!
//! This crate is a development dependency of the others and never part of the program. If it cannot
//! set something up, the test fails: its functions panic with the action and the tool's output,
//! rather than return errors to be unwrapped.

#![allow(clippy::unwrap_used, reason = "a harness that cannot set up its test fails it")]

pub mod browser;
pub mod certificates;
pub mod cli;
pub mod compare;
pub mod exposition;
pub mod http;
pub mod odoo;
pub mod odoo17;
pub mod postgres;
pub mod project;
pub mod proxy;
pub mod receiver;
pub mod schema;
pub mod seaweed;
pub mod smtp;
