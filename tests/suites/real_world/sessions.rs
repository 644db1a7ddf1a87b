//! Settings of roles, databases and poolers.
