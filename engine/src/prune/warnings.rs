//! Puts the result of a prune into words for the operator.

use super::{Hold, Pruned, Repacked};
use crate::error::explain;

impl Pruned {
    /// Returns what prevented removals, and what the operator must know of the rest.
    pub fn warnings(&self, instance: &str) -> Vec<String> {
        let held = self.plan.holds.iter().map(|hold| {
            let accept = match hold {
                Hold::Shrunk { .. } => format!(" (`odoo-backup prune {instance} --accept-shrunk`)"),
                Hold::Stale { .. } => String::new(),
            };
            format!("nothing is removed: {hold}; {}{accept}", hold.hint())
        });
        let damaged = self.damaged.iter().map(|damaged| {
            let (id, error) = (&damaged.backup.id, explain(&damaged.error));
            format!(
                "nothing is removed: unable to tell which objects {id} needs: {error}; repair it, or run `odoo-backup forget {instance}/{id}`"
            )
        });
        let future =
            self.plan.future.iter().map(|id| format!("{id} is kept: it is dated in the future, so a clock was wrong"));
        held.chain(damaged).chain(future).chain(self.repacked.iter().flat_map(Repacked::warnings)).collect()
    }
}
