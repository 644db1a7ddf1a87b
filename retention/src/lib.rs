//! Which backups to keep, and why. Pure functions: no I/O, no clock, no async.
