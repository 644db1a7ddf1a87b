//! Creates the client: credentials, TLS, time limits and retries.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::{TimeoutConfig, TimeoutConfigBuilder};
use aws_sdk_s3::config::{
    Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedAsyncSleep,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use super::clock::ServerClock;
use super::{Inner, S3Settings};
use crate::store::{S3Config, StoreErrorKind};

const CONNECT: Duration = Duration::from_secs(10);
/// The region if an endpoint is set and no region: most servers other than AWS accept it.
const REGION: &str = "us-east-1";

/// Creates the client. AWS's own chain supplies what `config` does not set.
pub(super) async fn client(
    config: &S3Config,
    settings: &S3Settings,
    clock: ServerClock,
) -> Result<Client, StoreErrorKind> {
    let mut shared = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client());
    if let Some(region) = config.region.clone().or(config.endpoint.as_ref().map(|_| REGION.into())) {
        shared = shared.region(Region::new(region));
    }
    if let Some(endpoint) = &config.endpoint {
        shared = shared.endpoint_url(endpoint);
    }
    if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
        shared = shared.credentials_provider(Credentials::new(id, secret.expose(), None, None, "configuration"));
    }
    let shared = shared.load().await;
    if shared.region().is_none() {
        return Err(StoreErrorKind::Other(
            "no region is known: set `region` in the [repository] section, or AWS_REGION".into(),
        ));
    }
    let path_style = config.path_style.unwrap_or(shared.endpoint_url().is_some());
    let config = Builder::from(&shared)
        .force_path_style(path_style)
        // The SDK sends its own checksums in trailers, to which Garage and Ceph RGW answer 400.
        // `put` sends another checksum instead.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .timeout_config(timeouts(settings.patience).build())
        .retry_config(retries(settings, settings.attempts))
        .retry_classifier(DamagedOrThrottled)
        .interceptor(clock)
        // A part in transit is one piece of memory whose progress cannot be seen from here, and
        // `get` has its own limit for bodies.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Ok(Client::from_conf(config))
}

/// Uses rustls over ring with the system's authorities, and the proxy that the environment names,
/// if any.
///
/// All requests share one connector, whatever their time limits, so that they share its
/// connections.
fn http_client() -> SharedHttpClient {
    let connector = Connector::builder()
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT).build())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

/// Returns a limit for each attempt, and none for all attempts together.
fn timeouts(attempt: Duration) -> TimeoutConfigBuilder {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt)
}

fn retries(settings: &S3Settings, attempts: u32) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(settings.backoff)
        .with_max_backoff(super::LONGEST_PAUSE)
}

impl Inner {
    /// Returns settings for a request with a body of this many bytes: a limit that a slow line can
    /// keep, and more attempts.
    ///
    /// If a server takes the bytes and never answers, each attempt costs such a limit. So there is
    /// a limit for all attempts too.
    pub(super) fn sending(&self, bytes: usize) -> Builder {
        let settings = &self.settings;
        let attempt = settings.patience + Duration::from_secs(bytes as u64 / settings.slowest.max(1));
        Builder::new()
            .timeout_config(timeouts(attempt).operation_timeout(attempt * 3).build())
            .retry_config(retries(settings, settings.persistent_attempts))
    }

    /// Returns settings for completing an upload. AWS says that it may take minutes to assemble a
    /// large object.
    pub(super) fn completing(&self) -> Builder {
        Builder::new()
            .timeout_config(timeouts(self.settings.patience * 20).build())
            .retry_config(retries(&self.settings, self.settings.persistent_attempts))
    }

    /// Returns settings for cleaning up after a failure. The failure must not wait long for that,
    /// and [`sweep`](super::sweep) comes later.
    pub(super) fn clearing(&self) -> Builder {
        let patience = self.settings.patience.min(Duration::from_secs(10));
        Builder::new()
            .timeout_config(timeouts(patience).operation_timeout(patience).build())
            .retry_config(retries(&self.settings, 2))
    }
}

/// Retries what the SDK does not: bytes damaged in transit, and throttling as servers other than
/// AWS report it.
#[derive(Debug)]
struct DamagedOrThrottled;

impl ClassifyRetry for DamagedOrThrottled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else {
            return RetryAction::NoActionIndicated;
        };
        let body = response.body().bytes().unwrap_or_default();
        let damaged = ["<Code>BadDigest</Code>", "<Code>XAmzContentSHA256Mismatch</Code>"];
        let holds = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
        match response.status().as_u16() {
            429 => RetryAction::throttling_error(),
            400 if damaged.into_iter().any(holds) => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "damaged in transit or throttled"
    }
}
