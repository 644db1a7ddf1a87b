//! Who is told, and how that fares: for `status`, the API and the metrics, so that a notifier that fails is not overlooked.

use std::path::Path;

use engine::config::Config;
use serde::Serialize;

use super::state::{Health, State, StateError};

/// A notifier of the configuration.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// `webhook`, `ping` or `mail`.
    pub channel: &'static str,
    /// Messages that wait for it.
    pub waiting: usize,
    /// What is wrong with it, in a sentence.
    pub problem: Option<String>,
    /// How it fares.
    #[serde(flatten)]
    pub health: Health,
}

/// Every notifier of `config`, by the state that a daemon keeps in this folder; beside that daemon, or without one.
///
/// # Errors
/// [`StateError`] where there is a state and it cannot be read.
pub fn standings(config: &Config, state_dir: &Path) -> Result<Vec<Standing>, StateError> {
    Ok(of(config, &State::read(state_dir)?.unwrap_or_default()))
}

pub(super) fn of(config: &Config, state: &State) -> Vec<Standing> {
    let standing = |notifier: &engine::config::NotifyConfig| {
        let (name, channel) = (notifier.name.clone(), notifier.channel.as_str());
        let health = state.health.get(&name).cloned().unwrap_or_default();
        let waiting = state.letters.iter().filter(|letter| letter.to == name).count();
        let problem = health.failing_since.map(|since| {
            let why = health.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("the notifier {name} ({channel}) has taken nothing since {since:.0}{why}")
        });
        Standing { name, channel, waiting, problem, health }
    };
    config.notify.iter().map(standing).collect()
}
