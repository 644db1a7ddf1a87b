//! The words that name a backup: an id, the start of one, `latest` or `latest~N`.

use super::BackupId;

const LATEST: &str = "latest";

/// What an operator wrote to name a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selector<'a> {
    /// The instance before the `/`.
    pub instance: Option<&'a str>,
    /// Which of its backups.
    pub backup: Position<'a>,
}

/// Which backup of an instance, or of all instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position<'a> {
    /// The latest usable backup (0), the usable one before it (1), and so on.
    Latest(usize),
    /// The backup whose id is this or starts with it.
    Id(&'a str),
}

impl<'a> Selector<'a> {
    /// Reads a selector. A word that is neither `latest` nor `latest~N` is the start of an id.
    pub fn parse(selector: &'a str) -> Self {
        let (instance, backup) = match selector.rsplit_once('/') {
            Some((instance, backup)) => (Some(instance), backup),
            None => (None, selector),
        };
        let latest = match backup.split_once('~') {
            None => (backup == LATEST).then_some(0),
            Some((LATEST, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok(),
            Some(_) => None,
        };
        Self { instance, backup: latest.map_or(Position::Id(backup), Position::Latest) }
    }

    /// Returns whether this is the whole id.
    pub(super) fn is_whole_id(self, id: &BackupId) -> bool {
        self.backup == Position::Id(id.as_str())
    }
}

/// Returns whether the operator asks for `latest` or `latest~N`.
pub(super) fn is_latest(selector: &str) -> bool {
    matches!(Selector::parse(selector).backup, Position::Latest(_))
}

/// Counts usable backups in words.
pub(super) fn usable_backups(number: usize) -> String {
    match number {
        0 => "no usable backup".into(),
        1 => "1 usable backup".into(),
        number => format!("{number} usable backups"),
    }
}

#[cfg(test)]
mod tests {
    use super::Position::{Id, Latest};
    use super::*;

    #[test]
    fn selector_is_read() {
        let cases = [
            ("latest", None, Latest(0)),
            ("production/latest", Some("production"), Latest(0)),
            ("latest~0", None, Latest(0)),
            ("production/latest~12", Some("production"), Latest(12)),
            ("20261121T10", None, Id("20261121T10")),
            ("production/20261121T10", Some("production"), Id("20261121T10")),
            ("", None, Id("")),
            ("production/", Some("production"), Id("")),
        ];
        for (text, instance, backup) in cases {
            assert_eq!(Selector::parse(text), Selector { instance, backup }, "{text}");
        }
    }

    #[test]
    fn wrong_number_selects_no_latest() {
        for wrong in
            ["latest~", "latest~x", "latest~-1", "latest~+1", "latest~1~1", "Latest", "latest~99999999999999999999"]
        {
            assert_eq!(Selector::parse(wrong).backup, Id(wrong));
        }
    }
}
