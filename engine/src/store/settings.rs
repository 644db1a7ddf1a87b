//! Where a store is, and how it is reached.

use std::path::PathBuf;

use crate::secret::Secret;

/// Where objects are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// `file:///path`
    Local {
        /// Absolute path of the repository's folder.
        path: PathBuf,
    },
    /// `s3://bucket/prefix`
    S3(S3Config),
}

/// An S3-compatible bucket. What is `None` is left to AWS's own chain (environment, profile, web
/// identity, instance role).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// Name of the bucket.
    pub bucket: String,
    /// What every key begins with, without slashes at its ends; empty where the bucket is the
    /// repository.
    pub prefix: String,
    /// URL of a server other than AWS's own.
    pub endpoint: Option<String>,
    /// Region; with an endpoint and none given, `us-east-1`.
    pub region: Option<String>,
    /// `https://host/bucket/key` rather than `https://bucket.host/key`; unset: where an endpoint is
    /// given.
    pub path_style: Option<bool>,
    /// Both or neither of the two keys are given.
    pub access_key_id: Option<String>,
    /// `secret_access_key`, or the content of `secret_access_key_file` without its line end.
    pub secret_access_key: Option<Secret>,
    /// Folder on this machine for copies of what each run would read again; `None`: there are none.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of each part of an upload; unset: chosen by what an object is expected to have.
    pub part_size: Option<usize>,
}
