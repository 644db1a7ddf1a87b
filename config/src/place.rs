//! `[instance.NAME]` and `[target.NAME]`: a database and its filestore, from the section and from
//! odoo.conf.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use crate::schedule::Schedule;
use ::retention::{Age, Zone};
use engine::instance::Instance;
use engine::odoo::HoldCollector;
use engine::odoo::conf::{OdooConf, data_dir_candidates};
use engine::postgres::{Database, SslMode};
use engine::restore::Target;
use engine::store::is_segment;
use engine::stream::Level;
use engine::text::nearest;

use super::error::quoted;
use super::exposure::Readers;
use super::secrets::{self, SecretKeys};
use super::section::{Reported, Section};
use super::show::{Origin, Supplied};
use super::surroundings::system_zone;
use super::value::{Raw, Refusal, Value};
use super::{Drill, InstanceConfig, anonymity, drill, hooks, keys, neutral, retention, routine};

/// Names next to the instances in a repository.
pub(super) const RESERVED: [&str; 4] = ["locks", "proofs", "repository.json", "RESTORE.txt"];

/// A file name may have 255 bytes; this leaves room for what is put before and behind a name.
pub(super) const LONGEST_NAME: usize = 100;

/// Reads `[instance.NAME]`; `targets` are the names of all targets.
pub(super) fn read_instance(name: &str, section: &Section<'_>, targets: &[String]) -> Result<InstanceConfig, Reported> {
    let valid_name = check_name(name, section);
    let hold_filestore_gc = section.optional::<HoldCollector>("hold_filestore_gc");
    let compression_level = section.optional::<Level>("compression_level");
    let full_every = section.optional::<Age>("full_every");
    let timezone = section.optional::<Zone>("timezone").map(|zone| zone.unwrap_or_else(system_zone));
    let retention = retention::read(section, timezone.as_ref().unwrap_or(&Zone::utc()));
    let prune = section.optional::<bool>("prune");
    let routine = routine::read(section);
    let drill = drill::read(section, targets);
    let hooks = hooks::read(section, &keys::INSTANCE_HOOKS);
    let place = read_place(section);
    valid_name?;
    let Place { database, filestore, odoo } = place?;
    let retention = retention?;
    let prune = prune?.unwrap_or(true);
    let drill = drill?;
    let drill = Drill { neutralize: neutral::with_odoo(drill.neutralize, odoo.conf), ..drill };
    let hold_filestore_gc = hold_filestore_gc?.unwrap_or(HoldCollector::Auto);
    let compression_level = compression_level?.unwrap_or_default();
    let full_every = full_every?.unwrap_or_else(Instance::full_every);
    let routine = routine?.in_zone(&timezone?);
    let interval = routine.backup.as_ref().map(Schedule::longest_interval);
    let name = name.into();
    let instance =
        Instance { name, database, filestore, hold_filestore_gc, compression_level, full_every, retention, interval };
    Ok(InstanceConfig { instance, prune, routine, drill, hooks: hooks? })
}

/// Reads `[target.NAME]`; `instances` are the names of all instances.
pub(super) fn read_target(name: &str, section: &Section<'_>, instances: &[String]) -> Result<Target, Reported> {
    let valid_name = check_name(name, section);
    let instance = source_of(section, instances);
    let place = read_place(section);
    let neutralize = neutral::read(section);
    let anonymize = anonymity::read(section);
    let trusted = section.optional("trusted");
    valid_name?;
    let Place { database, filestore, odoo } = place?;
    let neutralize = neutralize?.map(|neutralize| neutral::with_odoo(neutralize, odoo.conf));
    let (instance, anonymize, trusted) = (instance?, anonymize?, trusted?.unwrap_or_default());
    Ok(Target { name: name.into(), database, filestore, instance, neutralize, anonymize, trusted })
}

/// Returns whether an instance can have this name.
pub fn is_instance_name(name: &str) -> bool {
    is_name(name) && !RESERVED.contains(&name)
}

fn is_name(name: &str) -> bool {
    // A leading hyphen would make the name an option of the command line.
    is_segment(name) && !name.starts_with('-') && name.len() <= LONGEST_NAME
}

fn check_name(name: &str, section: &Section<'_>) -> Result<(), Reported> {
    if RESERVED.contains(&name) {
        return Err(section.refuse_all(format!("the name {name:?} is reserved for files of the repository")));
    }
    if !is_name(name) {
        return Err(section.refuse_all(format!(
            "{name:?} is not a valid name: use at most {LONGEST_NAME} letters, digits, `-`, `_` and `.`, and start with neither `-` nor `.`"
        )));
    }
    Ok(())
}

/// Returns the instance that a target names, else the only one there is.
fn source_of(section: &Section<'_>, instances: &[String]) -> Result<Option<String>, Reported> {
    match section.optional::<String>("instance")? {
        None => Ok(match instances {
            [only] => Some(only.clone()),
            _ => None,
        }),
        Some(name) if instances.contains(&name) => Ok(Some(name)),
        Some(name) => Err(section.refuse(
            "instance",
            Refusal {
                message: format!("there is no section [instance.{}]", super::section::as_key(&name)),
                suggestion: nearest(&name, instances.iter().map(String::as_str)).map(Into::into),
            },
        )),
    }
}

/// Where an instance or a target is.
struct Place {
    database: Database,
    filestore: PathBuf,
    odoo: Odoo,
}

/// Reads everything before the first `?`, so that all problems are reported at once.
fn read_place(section: &Section<'_>) -> Result<Place, Reported> {
    let odoo = Odoo::read(section);
    let named = section.optional::<DatabaseName>("database");
    let host = section.optional::<Host>("host");
    let port = section.optional::<NonZeroU16>("port");
    let user = section.optional("user");
    let password = secrets::read(section, SecretKeys { value: "password", file: "password_file" });
    let sslmode = section.optional("sslmode");
    let sslrootcert = section.optional("sslrootcert");
    let pg_path = section.trusted("pg_path");
    let files = Files::read(section);

    let odoo = odoo?;
    supply(section, &odoo);
    let name = match named? {
        Some(name) => name.0,
        None => only_database(section, &odoo)?,
    };
    let filestore = files?.filestore(section, &odoo, &name)?;
    if !section.has("filestore") {
        section.supply("filestore", Supplied::default(filestore.display().to_string()));
    }
    let conf = &odoo.conf;
    let host = match (host?, &conf.host) {
        (Some(host), _) => Some(host.0),
        (None, Some(host)) => Some(Host::new(host).map_err(|message| section.refuse("odoo_conf", message))?.0),
        (None, None) => None,
    };
    let database = Database {
        name,
        host,
        port: port?.map(NonZeroU16::get).or(conf.port),
        user: user?.or_else(|| conf.user.clone()),
        password: password?.or_else(|| conf.password.clone()),
        sslmode: sslmode?.or(conf.sslmode).unwrap_or(SslMode::Prefer),
        sslrootcert: sslrootcert?,
        pg_path: pg_path?.or_else(|| conf.pg_path.clone()),
    };
    Ok(Place { database, filestore, odoo })
}

/// Notes what odoo.conf and the environment supply. The section's own keys come first.
fn supply(section: &Section<'_>, odoo: &Odoo) {
    let OdooConf { host, port, user, password, sslmode, databases, data_dir, pg_path, .. } = &odoo.conf;
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let database = if let [only] = databases.as_slice() { Some(only.clone()) } else { None };
    let password = password.as_ref().map(|_| String::new());
    let values = [
        ("database", database, None),
        ("host", host.clone(), Some("PGHOST")),
        ("port", port.map(|port| port.to_string()), Some("PGPORT")),
        ("user", user.clone(), Some("PGUSER")),
        ("password", password, Some("PGPASSWORD")),
        ("sslmode", sslmode.map(|mode| mode.as_str().to_owned()), None),
        ("data_dir", path(data_dir), None),
        ("pg_path", path(pg_path), None),
    ];
    for (key, of_odoo, variable) in values {
        let of_environment = || {
            let variable = variable?;
            let value = (section.source.surroundings.variable)(variable).filter(|value| !value.is_empty())?;
            Some(Supplied::variable(variable, value.to_string_lossy().into_owned()))
        };
        let of_odoo = of_odoo.zip(odoo.path.as_deref()).map(|(value, path)| Supplied::odoo_conf(path, value));
        let Some(supplied) = of_odoo.or_else(of_environment) else { continue };
        section.supply(key, if key == "password" { supplied.secret() } else { supplied });
    }
    if section.has("password_file") {
        // It comes before odoo.conf and the environment.
        section.supply("password", Supplied { from: Origin::File, ..Supplied::default(String::new()).secret() });
    }
}

/// What odoo.conf says; nothing where the section names none.
struct Odoo {
    path: Option<PathBuf>,
    conf: OdooConf,
}

impl Odoo {
    fn read(section: &Section<'_>) -> Result<Self, Reported> {
        let Some(path) = section.optional::<PathBuf>("odoo_conf")? else {
            return Ok(Self { path: None, conf: OdooConf::default() });
        };
        let home = section.source.surroundings.home.as_deref();
        let conf =
            OdooConf::read_with_home(&path, home).map_err(|error| section.refuse("odoo_conf", error.to_string()))?;
        if let Some(reason) = section.source.distrust(&path) {
            // Odoo's own package leaves odoo.conf to Odoo's user. The administrator accepted its
            // data by naming it, but not its programs.
            if !section.source.is_system() {
                return Err(section.refuse("odoo_conf", reason));
            }
            if conf.pg_path.is_some() {
                let message = format!("its `pg_path` names programs to run: {reason}; or set `pg_path` here");
                return Err(section.refuse("odoo_conf", message));
            }
        }
        let named = conf.pg_path.as_deref().filter(|_| !section.has("pg_path"));
        if let Some(reason) = named.and_then(|folder| section.source.distrust(folder)) {
            return Err(section.refuse("odoo_conf", format!("its `pg_path`: {reason}")));
        }
        if conf.password.is_some() {
            section.source.warn_if_exposed(&path, "`db_password`", Readers::GROUP);
        }
        Ok(Self { path: Some(path), conf })
    }
}

/// One server's host name, address, or socket folder.
struct Host(String);

impl Host {
    /// Refuses several hosts. libpq connects to the first that answers, which may change each time,
    /// and a snapshot of one server is unknown to the next.
    fn new(host: &str) -> Result<Self, String> {
        if host.contains(',') {
            Err("it contains several hosts; set `host` to the server to back up from".into())
        } else {
            Ok(Self(host.into()))
        }
    }
}

impl Value for Host {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        Ok(Self::new(&String::read(raw)?)?)
    }
}

/// A database's name, which is also a folder's in the filestore.
struct DatabaseName(String);

impl DatabaseName {
    fn new(name: &str) -> Result<Self, String> {
        if is_database_name(name) {
            Ok(Self(name.into()))
        } else {
            Err(format!(
                "{name:?} is not a valid name of an Odoo database: it must also be valid as the name of a folder, and have at most 63 bytes"
            ))
        }
    }
}

/// Returns whether a database of Odoo can have this name. PostgreSQL cuts longer ones off without a
/// word.
pub(super) fn is_database_name(name: &str) -> bool {
    (1..=63).contains(&name.len()) && !name.contains(['/', '\0']) && ![".", ".."].contains(&name)
}

impl Value for DatabaseName {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        Ok(Self::new(&String::read(raw)?)?)
    }
}

/// Returns the database that odoo.conf names, where it is one.
fn only_database(section: &Section<'_>, odoo: &Odoo) -> Result<String, Reported> {
    let missing = |why: String| section.missing("database", format!("`database` is missing{why}"));
    let conf = odoo.path.as_deref().map(Path::display);
    match (&conf, odoo.conf.databases.as_slice()) {
        (None, _) => Err(missing(", and `odoo_conf` is not set either".into())),
        (Some(conf), []) => Err(missing(format!(", and {conf} sets no `db_name`"))),
        (Some(_), [name]) => {
            DatabaseName::new(name).map(|name| name.0).map_err(|message| section.refuse("odoo_conf", message))
        }
        (Some(conf), several) => Err(missing(format!(", and {conf} names several: {}", quoted(several)))),
    }
}

/// What the section says of the files.
enum Files {
    Filestore(PathBuf),
    DataDir(PathBuf),
    Unsaid,
}

impl Files {
    fn read(section: &Section<'_>) -> Result<Self, Reported> {
        if section.has("data_dir") && section.has("filestore") {
            return Err(section.refuse("filestore", "`data_dir` is set as well; remove one of the two"));
        }
        let filestore = section.optional("filestore")?.map(Self::Filestore);
        let data_dir = section.optional("data_dir")?.map(Self::DataDir);
        Ok(filestore.or(data_dir).unwrap_or(Self::Unsaid))
    }

    fn filestore(self, section: &Section<'_>, odoo: &Odoo, database: &str) -> Result<PathBuf, Reported> {
        let data_dir = match self {
            Self::Filestore(path) => return Ok(path),
            Self::DataDir(path) => path,
            Self::Unsaid => match &odoo.conf.data_dir {
                Some(path) if path.is_absolute() => path.clone(),
                Some(path) => {
                    let message = format!(
                        "its `data_dir`, {path:?}, depends on where Odoo was started; set `data_dir` here, as an absolute path"
                    );
                    return Err(section.refuse("odoo_conf", message));
                }
                None => match default_data_dir(section, odoo, database) {
                    Some(path) => path,
                    // Reported as a warning. What needs the folder fails.
                    None => return Ok(PathBuf::new()),
                },
            },
        };
        Ok(data_dir.join("filestore").join(database))
    }
}

/// Returns the usual folder of Odoo that has files of this database, else the only one with a
/// filestore. Used if neither the section nor odoo.conf sets it. Of several, none is guessed: a
/// backup of the wrong filestore looks like a good one. `None` is not a problem of the file: on a
/// new server there is no filestore, and most commands need none.
fn default_data_dir(section: &Section<'_>, odoo: &Odoo, database: &str) -> Option<PathBuf> {
    let surroundings = section.source.surroundings;
    let candidates = data_dir_candidates(&surroundings.root, surroundings.home.as_deref());
    match find_data_dir(&candidates, database).as_slice() {
        [only] => Some(only.to_path_buf()),
        [] => {
            let unsaid = match &odoo.path {
                Some(path) => format!("{} sets no `data_dir`", path.display()),
                None => "`odoo_conf` is not set either".into(),
            };
            let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            let none = format!("{unsaid}, and none of {} has a folder `filestore`", places.join(", "));
            section.warn(format!("`data_dir` is missing: {none}"));
            None
        }
        several => {
            let places: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            section.warn(format!("`data_dir` is missing: several folders are possible: {}", places.join(", ")));
            None
        }
    }
}

/// Returns those of `candidates` that contain files of `database`; else those that contain any
/// filestore.
pub(super) fn find_data_dir<'a>(candidates: &'a [PathBuf], database: &str) -> Vec<&'a PathBuf> {
    let with = |folder: PathBuf| -> Vec<_> { candidates.iter().filter(|path| path.join(&folder).is_dir()).collect() };
    let found = with(Path::new("filestore").join(database));
    if found.is_empty() { with("filestore".into()) } else { found }
}
