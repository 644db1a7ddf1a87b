//! Finds the backup that does not depend on the last full dump.
//!
//! All backups of a chain need the volume of its full dump. If that was damaged on its way, and no
//! rule kept an older backup, all would be lost together. So one older backup stays until something
//! was read of the new chain.

use crate::manifest::{BackupId, Manifest};
use crate::repository::{Clocks, Evidence, is_future};
use crate::store::Key;

/// The newest backup before the newest chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BeforeChain {
    pub(super) backup: BackupId,
    /// The volume of the chain's full dump. Reading it back is enough. `None` if no backup needs
    /// it.
    pub(super) volume: Option<Key>,
}

/// Returns the newest backup before the newest chain. `None` if there is no such backup, or if one
/// of the chain is proven. `evidence` is what restored copies have shown.
pub(super) fn before_newest<'a>(
    manifests: impl Iterator<Item = &'a Manifest> + Clone,
    evidence: impl Fn(&Manifest) -> Option<&'a Evidence>,
    clocks: Clocks,
) -> Option<BeforeChain> {
    let own = manifests.filter(|manifest| manifest.imported.is_none() && !is_future(manifest.created_at, clocks.now()));
    let newest = own.clone().max_by_key(|manifest| &manifest.id)?;
    let chain = newest.database.dump.chain()?;
    let of_chain = own.clone().filter(|manifest| manifest.database.dump.chain() == Some(chain));
    if of_chain.clone().any(|manifest| evidence(manifest).is_some_and(|evidence| evidence.proven().is_some())) {
        return None;
    }
    let before = own.filter(|manifest| manifest.id < *chain).max_by_key(|manifest| &manifest.id)?;
    let mut first = of_chain.filter_map(|manifest| manifest.database.dump.volumes()?.volumes.first());
    let volume = first.find(|volume| volume.n == 1).map(|volume| volume.object.key.clone());
    Some(BeforeChain { backup: before.id.clone(), volume })
}
