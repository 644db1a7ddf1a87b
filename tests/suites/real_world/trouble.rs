//! This machine's trouble is not damage.
