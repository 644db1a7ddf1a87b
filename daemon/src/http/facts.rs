//! Keeps what is known of the repository: read after each run and every few minutes, and shown from
//! memory however often it is asked for.

use std::sync::Arc;
use std::time::Duration;

use config::{Config, InstanceConfig, explain};
use engine::error::{Error, Explanation};
use engine::prune::forecast;
use engine::repository::Repository;
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::Api;
use crate::condition::Backups;
use crate::facts::{InstanceFacts, Known};
use crate::journal::RunRecord;
use crate::view::Event;

/// How often all of it is read, because other processes change the repository.
pub(super) const REFRESH: Duration = Duration::from_mins(5);
/// With many instances less often, because a list costs a request for each.
const REFRESH_PER_INSTANCE: Duration = Duration::from_secs(3);

/// What was last read, and the receivers of news about it.
#[derive(Default)]
pub(super) struct Facts {
    known: watch::Sender<Arc<Known>>,
    /// One reads at a time.
    reading: Mutex<()>,
}

impl Facts {
    pub(super) fn known(&self) -> Arc<Known> {
        self.known.borrow().clone()
    }

    /// Returns a receiver that is notified after each reading.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Known>> {
        self.known.subscribe()
    }
}

impl Api {
    /// Reads the backups of one instance, or of all. If that fails, the former state stays, next to
    /// the failure.
    pub(super) async fn refresh(&self, only: Option<&str>) {
        let facts = &self.facts;
        let _one_at_a_time = facts.reading.lock().await;
        let config = self.handle.config();
        let mut known = Known::clone(&facts.known());
        known.error = match self.read(&config, only, &mut known).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!("unable to read the repository: {error}");
                Some(error)
            }
        };
        known.instances.retain(|name, _| config.instances.contains_key(name));
        facts.known.send_replace(Arc::new(known));
    }

    async fn read(&self, config: &Config, only: Option<&str>, known: &mut Known) -> Result<(), Explanation> {
        let repository = self.handle.repository().await.map_err(|error| explain(&error))?;
        known.location = Some(repository.store().location());
        // One after the other: the manifests of one are in memory at a time.
        for instance in
            config.instances.values().filter(|instance| only.is_none_or(|only| only == instance.instance.name))
        {
            let facts = read(&repository, instance, self.handle.now()).await;
            let facts = facts.map_err(|error| explain(&error))?;
            known.instances.insert(instance.instance.name.clone(), Arc::new(facts));
        }
        known.refreshed_at = Some(self.handle.now());
        Ok(())
    }
}

/// Reads one instance.
async fn read(repository: &Repository, instance: &InstanceConfig, now: Timestamp) -> Result<InstanceFacts, Error> {
    let name = &instance.instance.name;
    let listing = repository.list(Some(name)).await?;
    let plan = match forecast(repository, &instance.instance, &listing).await {
        Ok(plan) => Ok(plan),
        Err(Error::Plan(error)) => Err(explain(&Error::Plan(error))),
        Err(error) => return Err(error),
    };
    Ok(InstanceFacts::of(name, &listing, Backups::of(name, &listing), plan, now))
}

/// Keeps it known, until `ended`.
pub(super) async fn keep(api: &Api, ended: &CancellationToken) {
    let mut events = api.handle.subscribe();
    let work = async {
        api.refresh(None).await;
        loop {
            let instances = u32::try_from(api.handle.config().instances.len()).unwrap_or(u32::MAX);
            let pause = REFRESH.max(REFRESH_PER_INSTANCE.saturating_mul(instances));
            let event = tokio::time::timeout(pause, changed(&mut events)).await;
            match event {
                Ok(Some(Changed::By(run))) => {
                    // First: the event about the repository says that both are up to date.
                    if let Some(target) = &run.target {
                        api.refresh_target(target).await;
                    }
                    api.refresh(Some(&run.instance)).await;
                }
                Ok(None) => return,
                Ok(Some(Changed::Anything)) | Err(_) => api.refresh(None).await,
            }
        }
    };
    ended.run_until_cancelled(work).await;
}

/// What may have changed.
pub(super) enum Changed {
    /// What a run of this kind changes.
    By(Box<RunRecord>),
    /// Any instance and any target.
    Anything,
}

/// Waits for what may have changed the repository or a target; `None` at the end of events.
pub(super) async fn changed(events: &mut tokio::sync::broadcast::Receiver<Event>) -> Option<Changed> {
    loop {
        return match events.recv().await {
            Ok(Event::Ended { run }) => Some(Changed::By(Box::new(run))),
            Ok(Event::Reloaded) | Err(RecvError::Lagged(_)) => Some(Changed::Anything),
            Err(RecvError::Closed) => None,
            Ok(_) => continue,
        };
    }
}
