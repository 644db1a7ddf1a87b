//! Answers to failed requests: `application/problem+json` (RFC 9457), with what failed, why, and
//! what to do.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use config::{ConfigError, UnknownName, explain};
use engine::error::{Error, Explanation};
use engine::repository::RepositoryError;
use serde::Serialize;
use utoipa::openapi::content::Content;
use utoipa::openapi::{Ref, RefOr, Response as Described, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::handle::RefusedStart;
use crate::journal::RunId;

const KIND: &str = "application/problem+json";

/// Why a request failed.
#[derive(Debug, Clone)]
pub(super) struct HttpProblem(Box<Said>);

#[derive(Debug, Clone)]
struct Said {
    status: StatusCode,
    /// A word that programs may rely on.
    code: &'static str,
    explanation: Explanation,
    /// The run that it is about.
    run: Option<RunId>,
}

/// Why a request failed, as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document<'a> {
    /// Always `about:blank`: `code` tells the kinds of failures apart.
    r#type: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// The kind of failure, in a word that programs may rely on.
    code: &'static str,
    /// What failed.
    detail: &'a str,
    /// Why, from the nearest cause to the root. Absent if no cause is known.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    causes: &'a [String],
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hint: Option<&'a str>,
    /// The run that the failure is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    run: Option<RunId>,
}

impl HttpProblem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let explanation = Explanation { message: detail.into(), causes: Vec::new(), hint: None, obstacles: Vec::new() };
        Self::explained(status, code, explanation)
    }

    pub(super) fn explained(status: StatusCode, code: &'static str, explanation: Explanation) -> Self {
        Self(Box::new(Said { status, code, explanation, run: None }))
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.explanation.hint = Some(hint.into());
        self
    }

    pub(super) fn of_run(mut self, run: RunId) -> Self {
        self.0.run = Some(run);
        self
    }

    pub(super) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what}"))
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "a valid token is required")
            .hint("send `Authorization: Bearer TOKEN` with the content of the daemon's `token_file`")
    }

    /// Returns that the repository has not been read yet, or cannot be.
    pub(super) fn unread(error: Option<&Explanation>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            Some(error) => Self::explained(status, "not_ready", error.clone()),
            None => Self::new(status, "not_ready", "the repository has not been read yet"),
        }
    }
}

impl IntoResponse for HttpProblem {
    fn into_response(self) -> Response {
        let Said { status, code, explanation, run } = *self.0;
        let document = Document {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: &explanation.message,
            causes: &explanation.causes,
            hint: explanation.hint.as_deref(),
            run,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(KIND));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponses for HttpProblem {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let schema = Ref::from_schema_name(Document::name());
        let response = ResponseBuilder::new().description("The request failed");
        let response = response.content(KIND, Content::new(Some(schema)));
        BTreeMap::from([("default".to_owned(), response.build().into())])
    }
}

impl From<RefusedStart> for HttpProblem {
    fn from(refused: RefusedStart) -> Self {
        let explanation = explain(&refused);
        match refused {
            RefusedStart::NoSuchInstance(unknown) => unknown.into(),
            RefusedStart::AlreadyRunning { run, .. } => {
                Self::explained(StatusCode::CONFLICT, "already_running", explanation).of_run(run)
            }
            RefusedStart::Stopping => Self::explained(StatusCode::SERVICE_UNAVAILABLE, "stopping", explanation),
            RefusedStart::Journal(error) => {
                let hint = error.hint().map(Into::into);
                let explanation = Explanation { hint: explanation.hint.or(hint), ..explanation };
                Self::explained(StatusCode::INTERNAL_SERVER_ERROR, "internal", explanation)
            }
        }
    }
}

impl From<Error> for HttpProblem {
    fn from(error: Error) -> Self {
        let (status, code) = match &error {
            error if error.is_held_elsewhere() => (StatusCode::CONFLICT, "busy"),
            Error::Repository(RepositoryError::NoSuchBackup { .. } | RepositoryError::TooFew { .. }) => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            Error::Repository(RepositoryError::Ambiguous { .. }) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Error::NoSuchFile { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Error::NoAttachments { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "not_odoo"),
            Error::Postgres(_) => (StatusCode::BAD_GATEWAY, "target"),
            Error::Interrupted => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            _ => (StatusCode::BAD_GATEWAY, "repository"),
        };
        Self::explained(status, code, explain(&error))
    }
}

impl From<RepositoryError> for HttpProblem {
    fn from(error: RepositoryError) -> Self {
        Error::from(error).into()
    }
}

impl From<UnknownName> for HttpProblem {
    fn from(error: UnknownName) -> Self {
        Self::explained(StatusCode::NOT_FOUND, "not_found", explain(&error))
    }
}

impl From<ConfigError> for HttpProblem {
    fn from(error: ConfigError) -> Self {
        Self::explained(StatusCode::UNPROCESSABLE_ENTITY, "configuration", explain(&error))
    }
}
