//! Other users, folders and configurations.
