//! What follows a backup by default, and how several results make one exit code.
