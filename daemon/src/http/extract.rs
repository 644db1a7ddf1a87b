//! Reads parts of requests, and fails with a [`HttpProblem`].

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::HttpProblem;

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = HttpProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpProblem> {
        if !is_json(request.headers()) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(HttpProblem::new(status, "unsupported_media_type", "the body must be application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large")
            }
            status => HttpProblem::new(status, "invalid", "unable to read the body"),
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| HttpProblem::invalid(format!("the body: {error}")))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The parameters behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpProblem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|rejection| HttpProblem::invalid(rejection.body_text()))
    }
}

/// The names in the path. What cannot be one names nothing.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpProblem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| HttpProblem::not_found("resource of this name"))
    }
}

/// Returns how many items a page has: as many as requested, by default `default`.
///
/// # Errors
/// [`HttpProblem::invalid`] for none, and for more than `most`.
pub(super) fn limited(asked: Option<usize>, (default, most): (usize, usize)) -> Result<usize, HttpProblem> {
    match asked.unwrap_or(default) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(HttpProblem::invalid(format!("`limit` must be from 1 to {most}"))),
    }
}
