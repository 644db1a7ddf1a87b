//! Copies in which nobody may be left.
