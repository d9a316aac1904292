//! Where the given cases of `tests/cases` stand.

use std::path::{Path, PathBuf};

/// The folders of all 420 of them, in order.
pub fn case_folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = std::fs::read_dir(&folder).expect("the cases are in the checkout");
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert_eq!(folders.len(), 420, "cases in {}", folder.display());
    folders
}
