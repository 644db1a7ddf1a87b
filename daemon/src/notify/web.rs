//! Webhooks and dead man's switches, over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use config::{INSTANCE_IN_URL, NotifyOccasion, WebhookFormat};
use engine::error::Explanation;
use engine::repository::BackupId;
use engine::secret::Secret;
use jiff::Timestamp;
use serde::Serialize;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

use super::error::SendError;
use super::notice::Notice;
use super::state::Signal;
use crate::agenda::Job;
use crate::journal::RunId;

/// How long one message may take, with all that belongs to it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a webhook is sent.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Payload<'a> {
    /// In this program's own words.
    Json(Event<'a>),
    /// In those of Slack.
    Slack {
        /// All of it, in lines.
        text: String,
    },
}

/// A notice, as a webhook is sent it.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    program: &'static str,
    event: Option<NotifyOccasion>,
    instance: &'a str,
    job: Option<Job>,
    run: Option<RunId>,
    at: Timestamp,
    summary: &'a str,
    error: Option<&'a Explanation>,
    backup: Option<&'a BackupId>,
    warnings: &'a [String],
    figures: &'a BTreeMap<String, u64>,
    test: bool,
}

/// Returns what a webhook is sent. `occasion` is what the notice is to this receiver.
pub(super) fn payload(notice: &Notice, occasion: Option<NotifyOccasion>, format: WebhookFormat) -> Payload<'_> {
    match format {
        WebhookFormat::Json => Payload::Json(Event {
            program: "odoo-backup",
            event: occasion,
            instance: &notice.instance,
            job: notice.job,
            run: notice.run,
            at: notice.at,
            summary: &notice.summary,
            error: notice.error.as_ref(),
            backup: notice.backup.as_ref(),
            warnings: &notice.warnings,
            figures: &notice.figures,
            test: notice.test,
        }),
        // Slack reads these three as markup, wherever they stand.
        WebhookFormat::Slack => {
            let text = notice.text().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            Payload::Slack { text: text.trim_end().to_owned() }
        }
    }
}

/// Posts JSON.
pub(super) fn post(url: &Secret, token: Option<&Secret>, payload: &impl Serialize) -> Result<(), SendError> {
    let mut request = agent(url.expose()).post(url.expose()).content_type("application/json");
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {}", token.expose()));
    }
    let unwritable = |error: serde_json::Error| SendError::Web { host: host(url.expose()), why: error.to_string() };
    taken(request.send(serde_json::to_string(payload).map_err(unwritable)?), url.expose())
}

/// Sends a signal to the dead man's switch of an instance.
pub(super) fn ping(url: &Secret, instance: &str, signal: Signal, text: &str) -> Result<(), SendError> {
    let url = url.expose().replace(INSTANCE_IN_URL, instance);
    let url = match signal {
        Signal::Success => url,
        Signal::Start => below(&url, "start"),
        Signal::Fail => below(&url, "fail"),
    };
    taken(agent(&url).post(&url).content_type("text/plain; charset=utf-8").send(text), &url)
}

/// Returns the path with one more segment; the query after a `?` stays at the end.
fn below(url: &str, segment: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{segment}{query}", path.trim_end_matches('/'))
}

fn taken(answer: Result<http::Response<Body>, ureq::Error>, url: &str) -> Result<(), SendError> {
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(SendError::Status { host: host(url), status: answer.status().as_u16() }),
        Err(error) => Err(SendError::Web { host: host(url), why: reason(&error, url) }),
    }
}

/// Returns the part of a URL that is no secret.
fn host(url: &str) -> String {
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
            let error = post(&Secret::new(url), None, &"").unwrap_err();
            let said = format!("{error} {error:?} {:?}", config::explain(&error));
            assert!(said.starts_with(&expected) && !said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn signal_precedes_query_of_url() {
        assert_eq!(below("https://e/uuid", "fail"), "https://e/uuid/fail");
        assert_eq!(below("https://e/uuid/?rid=1", "start"), "https://e/uuid/start?rid=1");
    }
}
