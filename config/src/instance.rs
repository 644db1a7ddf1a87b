//! What the configuration says of an instance besides where it is.

use engine::hooks::Hooks;
use engine::instance::Instance;

use crate::{Drill, Routine};

/// `[instance.NAME]`
#[derive(Debug, Clone)]
pub struct InstanceConfig {
    /// The instance itself, as the verbs take it.
    pub instance: Instance,
    /// Whether its backups are pruned after each good backup, by the daemon and by `now --prune`.
    pub prune: bool,
    /// What the daemon does with it by itself, and when.
    pub routine: Routine,
    /// Where its backups are drilled, and how.
    pub drill: Drill,
    /// What runs before and after a backup of it.
    pub hooks: Hooks,
}

impl InstanceConfig {
    /// Returns its name in the configuration.
    pub fn name(&self) -> &str {
        &self.instance.name
    }
}
