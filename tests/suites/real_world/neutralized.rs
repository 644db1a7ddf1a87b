//! Copies that must not reach the outside.
