//! The page: files in the program itself, so that no part of it comes from elsewhere.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! file {
    ($path:literal, $name:literal, $kind:expr) => {
        File { path: $path, kind: $kind, bytes: include_bytes!(concat!("../../assets/", $name)) }
    };
}

struct File {
    /// Where it is served.
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const FILES: [File; 12] = [
    file!("/", "index.html", HTML),
    file!("/style.css", "style.css", CSS),
    file!("/icon.svg", "icon.svg", SVG),
    file!("/api.js", "api.js", JAVASCRIPT),
    file!("/app.js", "app.js", JAVASCRIPT),
    file!("/calendar.js", "calendar.js", JAVASCRIPT),
    file!("/chart.js", "chart.js", JAVASCRIPT),
    file!("/dom.js", "dom.js", JAVASCRIPT),
    file!("/events.js", "events.js", JAVASCRIPT),
    file!("/format.js", "format.js", JAVASCRIPT),
    file!("/pages.js", "pages.js", JAVASCRIPT),
    file!("/parts.js", "parts.js", JAVASCRIPT),
];

/// Serves the files. A browser asks each time whether its copy is current, because the next version
/// has other files.
pub(super) fn page<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.into_iter().fold(Router::new(), |router, File { path, kind, bytes }| {
        let digest = Sha256::digest(bytes);
        let tag = format!("\"{}\"", digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>());
        let answer = async move |headers: HeaderMap| -> Response {
            let has_it = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
            let headers = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
            match has_it {
                true => (StatusCode::NOT_MODIFIED, headers).into_response(),
                false => (headers, [(header::CONTENT_TYPE, kind)], bytes).into_response(),
            }
        };
        router.route(path, get(answer))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::FILES;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let served = FILES.map(|file| if file.path == "/" { "index.html" } else { &file.path[1..] }.to_owned());
        assert_eq!(names.collect::<BTreeSet<_>>(), served.into());
    }
}
