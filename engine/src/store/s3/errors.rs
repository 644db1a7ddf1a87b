//! From the SDK's errors to what an operator can act on.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::Inner;
use crate::store::StoreErrorKind;

/// A server's message is data from outside: this much of it is shown.
const LONGEST: usize = 300;

impl Inner {
    /// Why a request failed, after its retries.
    pub(super) fn kind<E>(&self, error: SdkError<E>) -> StoreErrorKind
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match &error {
            SdkError::ServiceError(answer) => {
                self.answered(answer.raw().status().as_u16(), answer.err().code(), answer.err().message())
            }
            SdkError::ResponseError(answer) => StoreErrorKind::Unavailable(format!(
                "the answer is not one of S3 (HTTP {}): {}",
                answer.raw().status().as_u16(),
                innermost(&error)
            )),
            SdkError::TimeoutError(_) => StoreErrorKind::Unavailable(format!("no answer: {}", innermost(&error))),
            _ if has_source::<CredentialsError>(&error) => {
                StoreErrorKind::Denied(format!("no credentials: {}", innermost(&error)))
            }
            SdkError::DispatchFailure(_) => StoreErrorKind::Unavailable(innermost(&error)),
            _ => StoreErrorKind::Other(innermost(&error)),
        }
    }

    /// The same for an answer that the server did give.
    fn answered(&self, status: u16, code: Option<&str>, message: Option<&str>) -> StoreErrorKind {
        let text = text(status, code, message);
        let code = code.unwrap_or_default();
        // Codes first: servers agree on them more than on the status that goes with them.
        match code {
            "NoSuchBucket" => return StoreErrorKind::NoSuchPlace(format!("the bucket {:?}", self.bucket)),
            "NoSuchKey" => return StoreErrorKind::NotFound,
            "PreconditionFailed" | "ConditionalRequestConflict" => return StoreErrorKind::AlreadyExists,
            "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => return StoreErrorKind::Corrupt(text),
            "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch" => {
                return StoreErrorKind::Denied(text);
            }
            // The wrong region, or the wrong address for the bucket's region; the message says which is right.
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
                return StoreErrorKind::Unavailable(text);
            }
            // Ceph answers 403, MinIO 507 or 500, each with a code of its own.
            _ if code.contains("Quota") || code.contains("StorageFull") => return StoreErrorKind::Full(text),
            _ => {}
        }
        match status {
            412 => StoreErrorKind::AlreadyExists,
            401 | 403 => StoreErrorKind::Denied(text),
            507 => StoreErrorKind::Full(text),
            // AWS's "not implemented" will not become available by waiting.
            501 => StoreErrorKind::Other(text),
            301 | 307 | 408 | 429 | 500.. => StoreErrorKind::Unavailable(text),
            _ => StoreErrorKind::Other(text),
        }
    }
}

/// Whether a server says that it does not know what it was asked to do.
pub(super) fn is_not_implemented<E>(error: &SdkError<E>) -> bool {
    error.raw_response().is_some_and(|answer| answer.status().as_u16() == 501)
}

/// Whether the answer is a 404, whatever its code: an answer to HEAD has none.
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

/// The last cause says what happened ("Connection refused"); those above it are the SDK's layers.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

fn has_source<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<T>() {
            return true;
        }
        next = error.source();
    }
    false
}
