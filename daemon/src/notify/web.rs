//! Requests over HTTP.

use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

use super::channels::Post;
use super::error::SendError;

/// How long one message may take, with all that belongs to it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request, and returns once it was accepted.
pub(super) fn send(post: &Post) -> Result<(), SendError> {
    let url = post.url.expose();
    let mut request = agent(url).post(url).content_type(post.content_type);
    if let Some(token) = &post.token {
        request = request.header("Authorization", format!("Bearer {}", token.expose()));
    }
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    taken(request.send(&post.body), url)
}

fn taken(answer: Result<http::Response<Body>, ureq::Error>, url: &str) -> Result<(), SendError> {
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(SendError::Status { host: host(url), status: answer.status().as_u16() }),
        Err(error) => Err(SendError::Web { host: host(url), why: reason(&error, url) }),
    }
}

/// Returns the part of a URL that is no secret.
pub(super) fn host(url: &str) -> String {
    let uri = url.parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(|uri| Some((uri.host()?, uri.port_u16())));
    match host {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host.to_owned(),
        None => "the receiver".to_owned(),
    }
}

fn reason(error: &ureq::Error, url: &str) -> String {
    match error {
        // These repeat it, whole or in part.
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its URL is not valid".to_owned(),
        // Its own text names the kind of error first, which says nothing to operators.
        ureq::Error::Io(error) => error.to_string().replace(url, "***"),
        error => error.to_string().replace(url, "***"),
    }
}

/// Returns an agent that takes a redirection as an answer, because a POST would continue as a GET
/// without its body. It trusts the authorities of the system, as for S3.
fn agent(url: &str) -> Agent {
    // To read them all takes a moment, and they may change while the daemon runs.
    let is_needed = url.starts_with("https:");
    let certificates = if is_needed { rustls_native_certs::load_native_certs().certs } else { Vec::new() };
    let roots: Vec<_> = certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build();
    Agent::config_builder()
        // The body of an answer is not read, and its head no further than the library's 64 KiB.
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("odoo-backup/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent()
}

#[cfg(test)]
mod tests {
    use engine::secret::Secret;

    use super::*;

    #[test]
    fn error_names_only_host_of_url() {
        // No process listens on a port that was just free.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = format!("http://user:s3cret@127.0.0.1:{port}/s3cret?key=s3cret");
        for (url, expected) in [
            (refused.as_str(), format!("unable to send to 127.0.0.1:{port}: ")),
            ("http://127.0.0.1/s3cret s3cret", "unable to send to the receiver: its URL is not".to_owned()),
        ] {
            let (url, headers, body) = (Secret::new(url), Vec::new(), String::new());
            let error = send(&Post { url, token: None, content_type: "text/plain", headers, body }).unwrap_err();
            let said = format!("{error} {error:?} {:?}", config::explain(&error));
            assert!(said.starts_with(&expected) && !said.contains("s3cret"), "{said}");
        }
    }
}
