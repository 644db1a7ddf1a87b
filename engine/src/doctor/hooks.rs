//! Tries whether the programs of hooks can be started, without starting them.

use std::io;
use std::path::Path;

use rustix::fs::Access;

use super::{Subjects, TrialFindings};
use crate::error::{Error, HookError};

/// Looks at the programs of the subject's hooks.
pub(super) fn try_hooks(subjects: &Subjects, findings: &mut TrialFindings) {
    let Some(hooks) = subjects.hooks.get(&findings.subject) else { return };
    for (hook, command) in hooks.listed() {
        let program = &command.program;
        let tried = try_program(program).map_err(|source| {
            let section = findings.subject.replacen(' ', ".", 1);
            Error::from(HookError::Start { hook, section, program: program.clone(), source })
        });
        if findings.tried("hooks", tried).is_some() {
            findings.ok("hooks", format!("{hook}: {} can be run", program.display()));
        }
    }
}

fn try_program(program: &Path) -> io::Result<()> {
    if !program.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    Ok(rustix::fs::access(program, Access::EXEC_OK)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_executable_files_are_programs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hook");
        assert_eq!(try_program(&file).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(try_program(folder.path()).unwrap_err().to_string().contains("not a file"));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(try_program(&file).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        try_program(&file).unwrap();
    }
}
