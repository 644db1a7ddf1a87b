//! Tests inputs that operators and testers reported. Each module is one kind of input, each test
//! one input of it.

mod anonymized;
mod defaults;
mod dump_attacks;
mod filestore;
mod filesystems;
mod identity;
mod known_damage;
mod listing;
mod network;
mod neutralized;
mod oddities;
mod owners;
mod sessions;
mod source;
mod sql_attacks;
mod time;
mod trouble;
