//! Clocks and dates that are wrong.
