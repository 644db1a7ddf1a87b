//! File systems and disks that lack what is usual.
