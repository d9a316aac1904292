//! Names of objects: they hold the shard, the epoch and its token, so that no two snapshots share one.

use std::fmt;

/// One snapshot of one shard. Sorted, later epochs come later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub shard: i32,
    pub epoch: u64,
    /// Random for each epoch; letters and digits.
    pub token: String,
}

const MANIFEST: &str = ".manifest";

impl Name {
    /// The folder of a shard's snapshots.
    pub fn folder(shard: i32) -> String {
        format!("shard-{shard:05}")
    }

    /// The object that says what the parts are.
    pub fn manifest(&self) -> String {
        format!("{self}{MANIFEST}")
    }

    pub fn part(&self, number: usize) -> String {
        format!("{self}/part-{number:05}")
    }

    /// Reads the name of a manifest or a part, and says whether it is the manifest; `None` for other objects.
    pub fn parse(object: &str) -> Option<(Name, bool)> {
        let (folder, rest) = object.split_once('/')?;
        let shard: i32 = folder.strip_prefix("shard-")?.parse().ok()?;
        let (stem, is_manifest) = match rest.split_once('/') {
            Some((stem, part)) => (stem, !part.starts_with("part-")),
            None => (rest.strip_suffix(MANIFEST)?, true),
        };
        let (epoch, token) = stem.split_once('-')?;
        let name = Name { shard, epoch: epoch.parse().ok()?, token: token.to_owned() };
        // Only what we would write ourselves is ours.
        let is_ours =
            if is_manifest { object == name.manifest() } else { object.starts_with(&format!("{name}/part-")) };
        is_ours.then_some((name, is_manifest))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:020}-{}", Name::folder(self.shard), self.epoch, self.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_no_others() {
        let name = Name { shard: 3, epoch: 1_234, token: "a0b1".to_owned() };
        assert_eq!(name.manifest(), "shard-00003/00000000000000001234-a0b1.manifest");
        assert_eq!(Name::parse(&name.manifest()), Some((name.clone(), true)));
        assert_eq!(Name::parse(&name.part(7)), Some((name.clone(), false)));
        for other in ["shard-00003/1234-a0b1.manifest", "shard-3/x", "readme", "shard-00003/x.manifest", "a/b/c"] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
        assert!(Name { epoch: 999, token: "z".to_owned(), ..name.clone() } < name);
    }
}
