//! Sorts listings by key, for servers that list folder by folder.

use crate::store::{Key, Object};

/// Sorts a listing while it arrives.
///
/// S3 lists by the bytes of the whole key: `a-b/1` comes before `a/1`, because `-` comes before
/// `/`. SeaweedFS and other file systems list folder by folder: `a/1` before `a-b/1`. Only names
/// that continue with a character before `/` can be out of order, and they follow at once. A
/// [`Key`] has only `-` and `.` of these. So objects under one name are kept until another name
/// comes that does not continue so. A sorted listing passes unchanged.
pub(super) struct Reorder {
    /// How much of each key is the prefix of the whole listing.
    skip: usize,
    /// The first segment after the prefix, which the kept objects share.
    name: String,
    held: Vec<Object>,
}

impl Reorder {
    pub(super) fn new(prefix: Option<&Key>) -> Self {
        Self { skip: prefix.map_or(0, |prefix| prefix.as_str().len() + 1), name: String::new(), held: Vec::new() }
    }

    /// Takes the server's next object, and returns the objects that no other can precede any more.
    pub(super) fn push(&mut self, object: Object) -> Vec<Object> {
        let rest = object.key.as_str().get(self.skip..).unwrap_or_default();
        let name = rest.split('/').next().unwrap_or_default();
        let goes_on =
            name.strip_prefix(self.name.as_str()).is_some_and(|more| more.is_empty() || more.starts_with(['-', '.']));
        let mut ready = Vec::new();
        if !goes_on || self.held.is_empty() {
            ready = self.finish();
            self.name = name.to_owned();
        }
        self.held.push(object);
        ready
    }

    /// Returns the remaining objects when the listing ends.
    pub(super) fn finish(&mut self) -> Vec<Object> {
        self.held.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Reorder;
    use crate::store::{Key, Object};

    fn reorder(prefix: Option<&str>, keys: &[&str]) -> Vec<String> {
        let prefix = prefix.map(|prefix| Key::new(prefix).unwrap());
        let mut order = Reorder::new(prefix.as_ref());
        let objects =
            keys.iter().map(|key| Object { key: Key::new(*key).unwrap(), size: 0, modified: Timestamp::UNIX_EPOCH });
        let mut all: Vec<_> = objects.flat_map(|object| order.push(object)).collect();
        all.extend(order.finish());
        all.into_iter().map(|object| object.key.to_string()).collect()
    }

    #[test]
    fn listing_by_folder_is_sorted() {
        let by_folder =
            ["a", "a/b/1", "a/b-c", "a/c", "a-b/1", "a-b-c/1", "a-b.c", "a.b/1", "a.b-c", "a0", "a_/1", "b/1"];
        let mut sorted = by_folder;
        sorted.sort_unstable();
        assert_ne!(sorted, by_folder);
        assert_eq!(reorder(None, &by_folder), sorted);
        assert_eq!(reorder(None, &sorted), sorted);
    }

    #[test]
    fn sorting_keeps_one_name() {
        let keys = ["p/a/1", "p/a/2", "p/a-b/1", "p/b/1"];
        assert_eq!(reorder(Some("p"), &keys), ["p/a-b/1", "p/a/1", "p/a/2", "p/b/1"]);
        let prefix = Key::new("p").unwrap();
        let mut order = Reorder::new(Some(&prefix));
        let lengths = keys.map(|key| {
            let object = Object { key: Key::new(key).unwrap(), size: 0, modified: Timestamp::UNIX_EPOCH };
            order.push(object).len()
        });
        assert_eq!(lengths, [0, 0, 0, 3]);
    }
}
