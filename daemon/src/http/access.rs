//! Decides which requests are answered.
//!
//! - Where a token is configured, everything but health, the page itself and the sign-in needs it,
//!   or a session that was begun with it.
//! - Where none is, only this machine's own names are answered: a web page from elsewhere could
//!   else give this address a name of its own, and ask on behalf of the user who looks at it.
//! - A request that changes something must not come from another site's page, even if the browser
//!   is signed in.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::extract::Body;
use super::guesses::{Guesses, Who};
use super::problem::HttpProblem;
use super::token::{SESSION, Sessions, Token};

/// Wrong sign-ins of an address in a minute.
const MOST_SIGN_INS: u32 = 10;
/// Requests of an address with a wrong token in a minute. A program whose token is out of date
/// keeps asking.
const MOST_BEARERS: u32 = 120;
pub(super) const COOKIE: &str = "odoo_backup_session";

/// The token, where one is needed, and who has shown it.
pub(super) struct Access {
    token: Option<Token>,
    sessions: Sessions,
    /// Tokens that were shown at the sign-in.
    sign_ins: Guesses,
    /// Tokens that were shown with requests.
    bearers: Guesses,
}

impl Access {
    pub(super) fn new(token: Option<Token>) -> Self {
        Self {
            token,
            sessions: Sessions::default(),
            sign_ins: Guesses::new(MOST_SIGN_INS),
            bearers: Guesses::new(MOST_BEARERS),
        }
    }
}

impl Api {
    /// Returns whether the sender of these headers may request everything.
    pub(super) fn admits(&self, headers: &HeaderMap, Who(who): Who) -> bool {
        let (access, now) = (&self.access, self.handle.now());
        let Some(token) = &access.token else { return true };
        match bearer(headers) {
            Some(_) if access.bearers.pause(who, now).is_some() => false,
            Some(shown) => {
                let is_right = token.is(shown);
                if !is_right {
                    access.bearers.wrong(who, now);
                }
                is_right
            }
            None => session(headers).is_some_and(|id| access.sessions.has(id, now)),
        }
    }
}

/// Passes on only requests of clients that may request everything.
pub(super) async fn require_token(State(api): State<Api>, who: Who, request: Request, next: Next) -> Response {
    let pause = api.access.bearers.pause(who.0, api.handle.now());
    match pause.filter(|_| bearer(request.headers()).is_some()) {
        Some(pause) => too_many(pause),
        None if api.admits(request.headers(), who) => next.run(request).await,
        None => HttpProblem::unauthorized().into_response(),
    }
}

/// Returns the answer during a pause, in which no token is compared.
fn too_many(pause: SignedDuration) -> Response {
    let seconds = pause.as_secs().max(1);
    let detail = format!("too many wrong tokens: try again in {seconds} seconds");
    let problem = HttpProblem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail);
    ([(header::RETRY_AFTER, seconds.to_string())], problem).into_response()
}

/// Refuses what a page of another site makes a browser send.
pub(super) async fn refuse_other_sites(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (method, headers) = (request.method(), request.headers());
    if api.access.token.is_none() && !names_this_machine(headers) {
        return HttpProblem::new(
            StatusCode::FORBIDDEN,
            "foreign_host",
            "without a token, only requests to `localhost` are answered",
        )
        .hint("set `token_file` to serve under another name")
        .into_response();
    }
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_safe && is_from_another_site(headers) {
        return HttpProblem::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "the request comes from the page of another site",
        )
        .into_response();
    }
    next.run(request).await
}

/// A browser says by `Sec-Fetch-Site` whose page a request comes from, or, one that is old or
/// connected without TLS, by `Origin`. What says neither is no browser.
pub(super) fn is_from_another_site(headers: &HeaderMap) -> bool {
    match (text(headers, "sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, None) => headers.contains_key("sec-fetch-site"),
        (None, Some(origin)) => {
            let origin = origin.to_str().unwrap_or_default();
            let own = origin.split_once("://").map(|(_, authority)| authority);
            own.is_none() || own != text(headers, header::HOST.as_str())
        }
    }
}

/// Returns whether the request names this machine. A client that sends no name is not a browser.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(authority) = host.to_str().unwrap_or_default().parse::<axum::http::uri::Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, header::AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start())
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Whether a client is signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    /// Whether the daemon wants a token.
    required: bool,
    /// Whether the client has shown the token, or needs none.
    valid: bool,
}

/// Whether a token is needed, and whether the client has shown it.
#[utoipa::path(
    get, path = "/api/v1/session", operation_id = "show_session", security(),
    responses((status = 200, description = "The session", body = SessionView), HttpProblem),
)]
pub(super) async fn show_session(State(api): State<Api>, who: Who, headers: HeaderMap) -> axum::Json<SessionView> {
    axum::Json(SessionView { required: api.access.token.is_some(), valid: api.admits(&headers, who) })
}

/// A sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    /// The content of the daemon's `token_file`.
    token: String,
}

/// Sign in: a cookie instead of the token.
#[utoipa::path(
    post, path = "/api/v1/session", operation_id = "sign_in", security(),
    request_body = SignIn,
    responses(
        (
            status = 204,
            description = "Signed in; without a cookie where the daemon wants no token",
            headers(("Set-Cookie" = String, description = "The session, for 12 hours")),
        ),
        HttpProblem,
    ),
)]
pub(super) async fn sign_in(
    State(api): State<Api>,
    Who(who): Who,
    headers: HeaderMap,
    Body(shown): Body<SignIn>,
) -> Result<Response, HttpProblem> {
    let Some(token) = &api.access.token else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let now = api.handle.now();
    if let Some(pause) = api.access.sign_ins.pause(who, now) {
        return Ok(too_many(pause));
    }
    if !token.is(&shown.token) {
        api.access.sign_ins.wrong(who, now);
        tracing::warn!(from = %who, "refused a sign-in with a wrong token");
        return Err(HttpProblem::new(StatusCode::UNAUTHORIZED, "unauthorized", "this token is not valid")
            .hint("enter the content of the daemon's `token_file`"));
    }
    let random =
        |error| HttpProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("no random number: {error}"));
    let id = api.access.sessions.begin(api.handle.now()).map_err(random)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie(&headers, &id, SESSION.as_secs()))]).into_response())
}

/// Sign out.
#[utoipa::path(
    delete, path = "/api/v1/session", operation_id = "sign_out", security(),
    responses((status = 204, description = "Signed out"), HttpProblem),
)]
pub(super) async fn sign_out(State(api): State<Api>, headers: HeaderMap) -> Response {
    if let Some(id) = session(&headers) {
        api.access.sessions.end(id);
    }
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie(&headers, "", 0))]).into_response()
}

/// No script sees it, and no other site's page has it sent. A proxy says whether TLS is in front;
/// without, no browser would keep a `Secure` one.
fn cookie(headers: &HeaderMap, id: &str, seconds: i64) -> HeaderValue {
    let secure = if text(headers, "x-forwarded-proto") == Some("https") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
    }

    #[test]
    fn page_of_other_site_is_recognized() {
        for (own, pairs) in [
            (true, &[("host", "backup:8479")][..]),
            (true, &[("sec-fetch-site", "same-origin"), ("origin", "https://backup"), ("host", "internal:1")]),
            (true, &[("sec-fetch-site", "none")]),
            (true, &[("origin", "http://backup:8479"), ("host", "backup:8479")]),
            (false, &[("sec-fetch-site", "same-site"), ("origin", "http://backup:8479"), ("host", "backup:8479")]),
            (false, &[("sec-fetch-site", "cross-site")]),
            (false, &[("origin", "http://evil.example"), ("host", "backup:8479")]),
            (false, &[("origin", "http://backup"), ("host", "backup:8479")]),
            (false, &[("origin", "null"), ("host", "backup:8479")]),
            (false, &[("origin", "null")]),
        ] {
            assert_eq!(is_from_another_site(&headers(pairs)), !own, "{pairs:?}");
        }
    }

    #[test]
    fn only_names_of_machine_are_own() {
        for host in ["localhost", "LOCALHOST:8479", "127.0.0.1:8479", "127.1.2.3", "[::1]:8479", "[::1]"] {
            assert!(names_this_machine(&headers(&[("host", host)])), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8479", "10.0.0.1", "[::2]:8479", "0.0.0.0", "x y"] {
            assert!(!names_this_machine(&headers(&[("host", host)])), "{host}");
        }
        assert!(names_this_machine(&headers(&[])));
    }

    #[test]
    fn token_and_cookie_are_found() {
        assert_eq!(bearer(&headers(&[("authorization", "bearer  abc")])), Some("abc"));
        assert_eq!(bearer(&headers(&[("authorization", "Basic abc")])), None);
        let cookies = headers(&[("cookie", "a=b; odoo_backup_session=c1; odoo_backup_session_2=x")]);
        assert_eq!(session(&cookies), Some("c1"));
        assert_eq!(session(&headers(&[("cookie", "xodoo_backup_session=1")])), None);
    }
}
