//! The description of what is served: its paths come from the handlers, its schemas from the types
//! that they answer with.

use std::sync::LazyLock;

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use super::problem::{Document, HttpProblem};
use super::{access, closed, open};
use crate::handle::RunResult;

/// The parts that the handlers do not describe.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "odoo-backup",
        version = "1",
        description = "The daemon's API. Times are RFC 3339 in UTC, sizes are in bytes. Fields may be added."
    ),
    security(("token" = []), ("session" = [])),
    // The second is that of a parameter: only those of bodies are found.
    components(schemas(Document, RunResult)),
)]
struct Frame;

static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(|| {
    let described = OpenApiRouter::with_openapi(Frame::openapi()).merge(open()).merge(closed());
    let mut document = described.into_openapi();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The content of `token_file`"));
    let cookie = ApiKeyValue::with_description(access::COOKIE, "The session that a sign-in begins");
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    document
});

/// This description.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", operation_id = "openapi",
    responses((status = 200, description = "An OpenAPI document", body = Object), HttpProblem),
)]
pub(super) async fn openapi() -> Json<&'static utoipa::openapi::OpenApi> {
    Json(&*DOCUMENT)
}

#[cfg(test)]
mod requests;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn manual_names_every_operation() {
        let manual = include_str!("../../../docs/http-api.md");
        let document = serde_json::to_value(&*super::DOCUMENT).unwrap();
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() > 20, "{}", paths.len());
        for (path, item) in paths {
            for method in item.as_object().unwrap().keys() {
                let operation = format!("`{} {path}`", method.to_uppercase());
                assert!(manual.contains(&operation), "{operation} is not in docs/http-api.md");
            }
        }
    }

    #[test]
    fn every_reference_leads_to_schema() {
        let document = serde_json::to_value(&*super::DOCUMENT).unwrap();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            if let Some(name) = value["$ref"].as_str() {
                assert!(document.pointer(name.strip_prefix('#').unwrap()).is_some(), "{name}");
            }
            match value {
                Value::Object(members) => open.extend(members.values()),
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
    }
}
