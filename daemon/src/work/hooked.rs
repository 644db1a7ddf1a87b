//! The operator's hooks around an attempt.

use engine::hooks::{About, Done, Hooks, Outcome};

use super::{Order, Work};
use crate::failure::Failure;
use crate::journal::RunOutcome;

/// Makes an attempt between the hooks of its order: those of the instance for a backup, those of
/// the target for a restore. Other orders have none. Hooks that fail after it are warnings of the
/// outcome.
///
/// The run of `work` must be that of the operator: what stops only the attempt is a failure, not a
/// cancellation.
pub(crate) async fn between_hooks(
    work: &Work<'_>,
    attempt: impl Future<Output = Result<RunOutcome, Failure>>,
) -> Result<RunOutcome, Failure> {
    let name = work.instance.name();
    let (hooks, section, target) = match work.order {
        Order::Backup { .. } => (&work.instance.hooks, format!("instance.{name}"), None),
        Order::Restore { target, .. } => match work.config.target_hooks.get(target) {
            Some(hooks) => (hooks, format!("target.{target}"), Some(target.as_str())),
            None => return attempt.await,
        },
        Order::Check { .. } | Order::Drill | Order::Undo { .. } => return attempt.await,
    };
    let about = About { section: &section, instance: Some(name), target };
    let (mut outcome, failed) = around(hooks, about, work, attempt).await?;
    if let RunOutcome::Done { warnings, .. } = &mut outcome {
        warnings.extend(failed);
    }
    Ok(outcome)
}

async fn around(
    hooks: &Hooks,
    about: About<'_>,
    work: &Work<'_>,
    attempt: impl Future<Output = Result<RunOutcome, Failure>>,
) -> Result<(RunOutcome, Vec<String>), Failure> {
    let ended = |result: Result<&RunOutcome, &Failure>| match result {
        Ok(RunOutcome::Done { backup, warnings, .. }) => {
            Done::with(work.instance.name(), backup.clone(), warnings.is_empty())
        }
        Ok(RunOutcome::Elsewhere) => Done::without_backup(Outcome::Elsewhere),
        // It waits for the other process, and tries again.
        Err(failure) if failure.is_held_elsewhere() && work.slot.is_some() => Done::without_backup(Outcome::Elsewhere),
        _ => Done::without_backup(Outcome::Failed),
    };
    hooks.around(about, work.run, attempt, ended).await
}
