//! The cases that golden files show, in the order of one walk.

pub(super) mod copies;
pub(super) mod daemon;
pub(super) mod damage;
pub(super) mod general;
pub(super) mod removals;
pub(super) mod set_up;
