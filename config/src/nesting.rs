//! Folders that must not be inside each other: a repository in the filestore would be backed up
//! into itself, and files in a repository count as its objects.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use engine::filestore;
use engine::folder::{Place, Relation};
use engine::store::StoreConfig;

use super::Config;
use super::error::ConfigProblem;

/// A network disk that does not respond must not block a restore from another one.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Repository,
    Filestore,
    /// The cache, or the daemon's state.
    Own,
}

/// A folder that the configuration names.
#[derive(Debug, Clone)]
struct Named {
    path: PathBuf,
    of: Use,
    /// `the filestore of the instance production`
    what: String,
    section: String,
    key: &'static str,
}

/// Returns the folders that must not be inside others, and a warning if the folders could not be
/// examined.
pub(super) fn problems(config: &Config) -> (Vec<ConfigProblem>, Option<String>) {
    let named = named(config);
    let file = config.path.clone();
    let (sender, receiver) = mpsc::channel();
    // Not joined: access to a dead disk may never return.
    std::thread::spawn(move || {
        let places: Vec<_> = named.iter().map(|folder| (folder, Place::of(&folder.path))).collect();
        let mut problems = Vec::new();
        for (index, (folder, place)) in places.iter().enumerate() {
            for (other, there) in &places[index + 1..] {
                problems.extend(refusal(folder, other, place.relation(there)).map(|message| {
                    let named = if other.of == Use::Filestore { folder } else { other };
                    problem(&file, named, message)
                }));
            }
        }
        let _ = sender.send(problems);
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(problems) => (problems, None),
        Err(_) => {
            let warning = "unable to check that the repository and the filestores are in separate folders: a folder does not respond";
            (Vec::new(), Some(warning.to_owned()))
        }
    }
}

fn problem(file: &Path, folder: &Named, message: String) -> ConfigProblem {
    ConfigProblem {
        file: file.to_owned(),
        line: None,
        section: Some(folder.section.clone()),
        key: Some(folder.key.to_owned()),
        message: format!("`{}`: {message}", folder.key),
        suggestion: None,
    }
}

fn named(config: &Config) -> Vec<Named> {
    let mut named = Vec::new();
    let repositories = std::iter::once((None, &config.repository));
    let copies = config.copies.values().map(|copy| (Some(copy.name.as_str()), &copy.place));
    for (name, place) in repositories.chain(copies) {
        let section = name.map_or("repository".to_owned(), |name| format!("repository.{name}"));
        let what = name.map_or("the repository".to_owned(), |name| format!("the repository {name}"));
        match place {
            StoreConfig::Local { path } => {
                named.push(Named { path: path.clone(), of: Use::Repository, what, section, key: "url" });
            }
            StoreConfig::S3(s3) => named.extend(s3.cache_dir.clone().map(|path| Named {
                path,
                of: Use::Own,
                what: format!("the cache of {what}"),
                section,
                key: "cache_dir",
            })),
        }
    }
    let state = config.daemon.state_dir.clone();
    named.extend(state.map(|path| Named {
        path,
        of: Use::Own,
        what: "the daemon's state".into(),
        section: "daemon".into(),
        key: "state_dir",
    }));
    for (kind, name, path) in config
        .instances
        .values()
        .map(|instance| ("instance", &instance.instance.name, &instance.instance.filestore))
        .chain(config.targets.values().map(|target| ("target", &target.name, &target.filestore)))
    {
        if !filestore::is_known(path) {
            continue;
        }
        named.push(Named {
            path: path.clone(),
            of: Use::Filestore,
            what: format!("the filestore of the {kind} {name}"),
            section: format!("{kind}.{name}"),
            key: "filestore",
        });
    }
    named
}

/// Returns why two folders must not have this relation.
fn refusal(one: &Named, other: &Named, relation: Relation) -> Option<String> {
    use Use::{Filestore, Own, Repository};
    let forbidden = match (one.of, other.of, relation) {
        (.., Relation::Apart) | (Own, Own, _) | (Filestore, Filestore, _) => false,
        (Repository | Own, Filestore, _) | (Filestore, Repository | Own, _) | (Repository, Repository, _) => true,
        // A repository may be next to the state in a folder that contains both.
        (Repository, Own, Relation::Around | Relation::Same) | (Own, Repository, Relation::Within | Relation::Same) => {
            true
        }
        (Repository, Own, Relation::Within) | (Own, Repository, Relation::Around) => false,
    };
    let (what, path, outer, around) = match relation {
        Relation::Within => (&one.what, &one.path, &other.what, &other.path),
        _ => (&other.what, &other.path, &one.what, &one.path),
    };
    let how = if relation == Relation::Same { "is the same folder as" } else { "is inside" };
    forbidden.then(|| {
        format!("{what} ({}) {how} {outer} ({}); keep them in folders apart", path.display(), around.display())
    })
}
