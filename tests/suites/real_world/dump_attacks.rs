//! A dump that was written to do harm.
