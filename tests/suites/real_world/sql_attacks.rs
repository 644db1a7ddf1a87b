//! A database's owner against whoever backs it up.
