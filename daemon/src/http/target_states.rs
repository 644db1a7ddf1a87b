//! What the targets hold, as of the last look: shown from memory however often it is asked for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::explain;
use engine::error::Explanation;
use engine::restore::{Target, TargetState};
use futures::StreamExt;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::Api;
use super::facts::REFRESH;
use super::repositories::no_answer;
use crate::view::Event;

/// How long a target's server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Targets that are looked at in parallel.
const PARALLEL: usize = 4;

/// What was last seen of each target.
#[derive(Default)]
pub(super) struct TargetStates(Mutex<BTreeMap<String, SeenState>>);

/// What a target held when it was last looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SeenTarget)]
pub(super) struct SeenState {
    /// When it was looked at.
    looked_at: Timestamp,
    /// Why it is unknown what the target holds; null where it is known.
    #[schema(required = true)]
    error: Option<Explanation>,
    /// What it holds; all null where that is unknown.
    #[serde(flatten)]
    held: TargetState,
}

impl TargetStates {
    /// Returns what was last seen of a target; `None` until it was looked at.
    pub(super) fn get(&self, target: &str) -> Option<SeenState> {
        self.lock().get(target).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SeenState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Api {
    /// Looks at one target now, and remembers what it holds.
    pub(super) async fn look_at_target(&self, target: &Target) -> SeenState {
        let looked = tokio::time::timeout(PATIENCE, engine::restore::state(target)).await;
        let (held, error) = match looked {
            Ok(Ok(held)) => (held, None),
            Ok(Err(error)) => (TargetState::default(), Some(explain(&error))),
            Err(_) => (TargetState::default(), Some(no_answer(PATIENCE))),
        };
        let seen = SeenState { looked_at: self.handle.now(), error, held };
        self.targets.lock().insert(target.name.clone(), seen.clone());
        seen
    }

    /// Looks at the target of this name, if the configuration has it.
    pub(super) async fn refresh_target(&self, name: &str) {
        if let Some(target) = self.handle.config().targets.get(name) {
            self.look_at_target(target).await;
        }
    }

    /// Looks at all targets.
    async fn refresh_targets(&self) {
        let config = self.handle.config();
        futures::stream::iter(config.targets.values())
            .for_each_concurrent(PARALLEL, async |target| {
                self.look_at_target(target).await;
            })
            .await;
        self.targets.lock().retain(|name, _| config.targets.contains_key(name));
    }
}

/// Looks at the targets again and again, until `ended`. A run looks at its own when it ends.
pub(super) async fn keep(api: &Api, ended: &CancellationToken) {
    let mut events = api.handle.subscribe();
    let work = async {
        loop {
            api.refresh_targets().await;
            let reloaded =
                async { while !matches!(events.recv().await, Ok(Event::Reloaded) | Err(RecvError::Closed)) {} };
            let _ = tokio::time::timeout(REFRESH, reloaded).await;
        }
    };
    ended.run_until_cancelled(work).await;
}
