//! Opens a store on the S3 server of the tests.

use std::sync::Arc;

use harness::seaweed::SeaweedFs;

use super::S3Store;
use crate::secret::Secret;
use crate::store::S3Config;

/// Returns the part of the server's bucket under `prefix`.
pub(crate) async fn open(server: &SeaweedFs, prefix: &str) -> Arc<S3Store> {
    let config = S3Config {
        bucket: server.bucket.clone(),
        prefix: prefix.into(),
        endpoint: Some(server.endpoint.clone()),
        region: None,
        path_style: None,
        access_key_id: Some(server.access_key.clone()),
        secret_access_key: Some(Secret::new(&server.secret_key)),
        cache_dir: None,
        part_size: None,
    };
    Arc::new(S3Store::open(&config).await.unwrap())
}
