//! What PostgreSQL can hold, through all verbs.
