//! The given cases of `tests/cases`, read.

#[path = "../listing/mod.rs"]
mod listing;

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::oracle::{Cause, Change};

/// The end of every given case, `2027-06-01T00:00:00Z`.
pub const UNTIL: i64 = 1_811_808_000_000;

/// The default, which holds for all of them.
pub const GRACE: i64 = 5000;

pub struct Given {
    pub name: String,
    pub rules: String,
    pub events: String,
    /// Sorted.
    pub changes: Vec<Change>,
}

/// All 420 of them, in order.
pub fn cases() -> Vec<Given> {
    listing::case_folders().iter().map(|folder| given(folder)).collect()
}

fn given(folder: &Path) -> Given {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let mut changes: Vec<Change> = read("changes.jsonl").lines().map(change).collect();
    changes.sort();
    let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
    Given { name, rules: read("segments.toml"), events: read("events.jsonl"), changes }
}

fn change(line: &str) -> Change {
    let change: Value = serde_json::from_str(line).expect("a change is JSON");
    let text = |field: &str| change[field].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    Change {
        customer_id: text("customer_id").expect("a customer"),
        sequence: change["sequence"].as_u64().expect("a sequence"),
        dimension: text("dimension").expect("a dimension"),
        from: text("from"),
        to: text("to"),
        effective_at: change["effective_at"].as_i64().expect("an instant"),
        cause: text("cause").as_deref().and_then(Cause::named).expect("a cause"),
    }
}
