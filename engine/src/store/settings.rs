//! Describes where a store is, and how it is reached.

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

impl StoreConfig {
    /// Returns where it is, as [`super::Store::location`] does, without opening it.
    pub fn location(&self) -> String {
        match self {
            Self::Local { path } => super::local::location(path),
            Self::S3(config) => super::s3::location(&config.bucket, &config.prefix),
        }
    }
}

/// An S3-compatible bucket. AWS's own chain (environment, profile, web identity, instance role)
/// supplies what is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// The name of the bucket.
    pub bucket: String,
    /// The prefix of every key, without slashes at its ends. Empty if the bucket is the repository.
    pub prefix: String,
    /// The URL of a server other than AWS's own.
    pub endpoint: Option<String>,
    /// The region. With an endpoint and no region: `us-east-1`.
    pub region: Option<String>,
    /// Whether to use `https://host/bucket/key` instead of `https://bucket.host/key`. Unset: true
    /// if an endpoint is set.
    pub path_style: Option<bool>,
    /// The access key. Either both keys are set, or neither.
    pub access_key_id: Option<String>,
    /// `secret_access_key`, or the content of `secret_access_key_file` without its line end.
    pub secret_access_key: Option<Secret>,
    /// The folder on this machine for the cache. `None`: no cache.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of each part of an upload. Unset: chosen by the expected size of the object.
    pub part_size: Option<usize>,
}
