//! The notifiers and their state: for `status`, the API and the metrics, so that a failing notifier
//! is not overlooked.

use std::path::Path;

use config::Config;

use super::state::{State, StateError};
use crate::view::Standing;

/// Returns every notifier of `config`, by the state in this folder, with or without a running
/// daemon.
///
/// # Errors
/// [`StateError`] where there is a state and it cannot be read.
pub fn standings(config: &Config, state_dir: &Path) -> Result<Vec<Standing>, StateError> {
    Ok(of(config, &State::read(state_dir)?.unwrap_or_default()))
}

pub(super) fn of(config: &Config, state: &State) -> Vec<Standing> {
    let standing = |notifier: &config::NotifyConfig| {
        let (name, channel) = (notifier.name.clone(), notifier.channel.as_str());
        let health = state.health.get(&name).cloned().unwrap_or_default();
        let waiting = state.deliveries.iter().filter(|delivery| delivery.to == name).count();
        let problem = health.failing_since.map(|since| {
            let why = health.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("the notifier {name} ({channel}) has accepted nothing since {since:.0}{why}")
        });
        Standing { name, channel, waiting, problem, health }
    };
    config.notify.iter().map(standing).collect()
}
