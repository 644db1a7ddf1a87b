//! Damage that was found stays known.
