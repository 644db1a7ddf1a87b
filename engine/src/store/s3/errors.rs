//! Translates the SDK's errors into what an operator can act on.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::Inner;
use crate::store::StoreErrorKind;

/// The most characters shown of a server's message, which is data from outside.
const LONGEST: usize = 300;

impl Inner {
    /// Returns why a request failed, after its retries.
    pub(super) fn kind<E>(&self, error: SdkError<E>) -> StoreErrorKind
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match &error {
            SdkError::ServiceError(answer) => {
                self.answered(answer.raw().status().as_u16(), answer.err().code(), answer.err().message())
            }
            SdkError::ResponseError(answer) => StoreErrorKind::Unavailable(format!(
                "the answer is not from S3 (HTTP {}): {}",
                answer.raw().status().as_u16(),
                innermost(&error)
            )),
            SdkError::TimeoutError(_) => StoreErrorKind::Unavailable(self.at_endpoint(&error)),
            _ if let Some(cause) = source::<CredentialsError>(&error) => StoreErrorKind::Denied(no_credentials(cause)),
            SdkError::DispatchFailure(_) => StoreErrorKind::Unavailable(self.at_endpoint(&error)),
            _ => StoreErrorKind::Other(innermost(&error)),
        }
    }

    /// Returns what happened, and at which address: the address may be what is wrong.
    fn at_endpoint(&self, error: &dyn Error) -> String {
        match &self.endpoint {
            // An endpoint with a user name may contain a password too.
            Some(endpoint) if !endpoint.contains('@') => format!("{endpoint}: {}", innermost(error)),
            _ => innermost(error),
        }
    }

    /// Returns why a request failed that the server answered.
    fn answered(&self, status: u16, code: Option<&str>, message: Option<&str>) -> StoreErrorKind {
        let text = text(status, code, message);
        let code = code.unwrap_or_default();
        // Codes come first: servers agree on them more than on the status that goes with them.
        match code {
            "NoSuchBucket" => return StoreErrorKind::NoSuchPlace(format!("the bucket {:?}", self.bucket)),
            "NoSuchKey" => return StoreErrorKind::NotFound,
            "PreconditionFailed" | "ConditionalRequestConflict" => return StoreErrorKind::AlreadyExists,
            "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => return StoreErrorKind::Corrupt(text),
            "RequestTimeTooSkewed" | "RequestExpired" => return StoreErrorKind::Clock(text),
            "InvalidObjectState" => return StoreErrorKind::Archived(text),
            "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch" => {
                return StoreErrorKind::Denied(text);
            }
            // The region is wrong, or the address for the bucket's region. The message says which
            // is right.
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
                return StoreErrorKind::Unavailable(text);
            }
            // Ceph answers 403, MinIO 507 or 500, each with its own code.
            _ if code.contains("Quota") || code.contains("StorageFull") => return StoreErrorKind::Full(text),
            _ => {}
        }
        match status {
            412 => StoreErrorKind::AlreadyExists,
            // The object ends before the first byte that was asked for.
            416 => StoreErrorKind::Corrupt(text),
            401 | 403 => StoreErrorKind::Denied(text),
            507 => StoreErrorKind::Full(text),
            // Waiting does not help if AWS says "not implemented".
            501 => StoreErrorKind::Other(text),
            301 | 307 | 408 | 429 | 500.. => StoreErrorKind::Unavailable(text),
            _ => StoreErrorKind::Other(text),
        }
    }
}

/// Returns whether the server does not know the request.
pub(super) fn is_not_implemented<E>(error: &SdkError<E>) -> bool {
    error.raw_response().is_some_and(|answer| answer.status().as_u16() == 501)
}

/// Returns whether the answer is a 404, whatever its code: an answer to HEAD has none.
pub(super) fn is_missing<E>(error: &SdkError<E>) -> bool {
    error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404)
}

fn text(status: u16, code: Option<&str>, message: Option<&str>) -> String {
    let message = message.map(|message| message.trim().trim_end_matches('.')).unwrap_or_default();
    let shown: String = message.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    match (code, shown.is_empty()) {
        (Some(code), false) => format!("{shown} ({code}, HTTP {status})"),
        (Some(code), true) => format!("{code} (HTTP {status})"),
        (None, false) => format!("{shown} (HTTP {status})"),
        (None, true) => format!("HTTP {status}"),
    }
}

/// Returns the last cause of an error, which says what happened ("Connection refused"). The others
/// are the SDK's layers.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// AWS's chain tries one source after the other. Its innermost cause is only that of the last one.
fn no_credentials(error: &CredentialsError) -> String {
    format!(
        "no usable credentials in the [repository] section, the environment, AWS's files or the instance's metadata; \
         the last of these said: {}",
        innermost(error)
    )
}

fn source<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
