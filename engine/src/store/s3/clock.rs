//! Tracks the server's clock by the dates of its answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// The latest date of an answer, and when the answer came.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerClock(Arc<Mutex<Option<(Timestamp, Instant)>>>);

impl ServerClock {
    pub(super) fn now(&self) -> Option<Timestamp> {
        let (shown, at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        shown.checked_add(SignedDuration::try_from(at.elapsed()).ok()?).ok()
    }

    /// Takes the date of an answer. A date from a cache is older than the known one, and is
    /// ignored.
    fn take(&self, date: &str) {
        let Ok(date) = DateTimeParser::new().parse_timestamp(date) else { return };
        if self.now().is_none_or(|known| date > known) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "the server's clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.take(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_follows_latest_date() {
        let clock = ServerClock::default();
        assert_eq!(clock.now(), None);
        clock.take("Sat, 21 Nov 2026 02:00:03 GMT");
        for date in ["Sat, 21 Nov 2026 01:00:03 GMT", "yesterday", ""] {
            clock.take(date);
        }
        let shown = clock.now().unwrap().duration_since("2026-11-21T02:00:03Z".parse().unwrap());
        assert!((0..60).contains(&shown.as_secs()), "{shown:?}");
    }
}
