//! What can be wrong with a snapshot, or keep us from it.

/// Names the place or the object.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{url}` cannot hold snapshots: {why}")]
    Place { url: String, why: String },
    #[error("{object}: {source}")]
    Store { object: String, source: object_store::Error },
    #[error("{object} is there already: somebody else has written it")]
    Exists { object: String },
    #[error("{object} is not there")]
    Missing { object: String },
    #[error("{object} is damaged: {damage}")]
    Damaged { object: String, damage: String },
    #[error("{object} is of format {found}, and this version reads {expected}")]
    Format { object: String, found: u64, expected: u32 },
    #[error("a thread that talks to the store could not be started: {0}")]
    Runtime(std::io::Error),
    #[error("it was no longer wanted")]
    Cancelled,
}

impl Error {
    pub(super) fn damaged(object: &str, damage: impl Into<String>) -> Error {
        Error::Damaged { object: object.to_owned(), damage: damage.into() }
    }
}
