//! Deliberate bugs, one for each rule of committing and recovering that a simulation can break: to show that it finds
//! them. Without the feature `sabotage` there are none, and nothing of this is compiled in but the word `false`.

#[cfg(feature = "sabotage")]
use std::cell::Cell;

/// What may be done wrong. Each names the rule that it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A part is sent under whatever membership there is, not under the one that it was made in.
    StampsAnew,
    /// Parts of shards that are not ours any more are sent too.
    KeepsForeignParts,
    /// Transactions go on while a revoke is being served, and before the next assignment.
    CommitsWhileRevoked,
    /// Memory that outlived an assignment is believed without a look at the shard's record.
    TrustsMemory,
    /// Offsets that have not moved are not committed again, so that an epoch of time alone carries no fence.
    LeavesOutUnchangedOffsets,
    /// The second half of a part that was cut has the predecessor of the first.
    CutsTheChain,
    /// A producer that met a failure is used on, and sends again at once what was surely not committed.
    KeepsProducer,
    /// A producer is used on although a commit may have been asked for twice, since the second answer was good.
    TrustsRepeats,
    /// Whoever was fenced opens the next producer at once, though somebody else may have its name by now.
    OpensAtOnce,
    /// After an unknown outcome the shard's record is read before a new producer has settled it.
    ReadsBeforeNewProducer,
    /// An unknown outcome is taken for a failure: the epoch is sent again without a look.
    TakesUnknownForFailed,
    /// An unknown outcome is taken for success.
    TakesUnknownForCommitted,
    /// Recovery reads the standing topic to its last stable offset and waits for nothing.
    ReadsToStableOnly,
    /// Recovery waits for a dead owner's transaction to time out, and does not abort it.
    WaitsForDeadOwners,
    /// Recovery folds everything that is there, also what nobody has been told the outcome of.
    FoldsTooFar,
    /// Recovery begins with facts, and with nobody's standing.
    ForgetsStanding,
    /// Recovery arms customers after the clock: dues that a crash cut off are never told.
    ArmsAfterTheClock,
    /// A shard is taken over whatever rules its record is of.
    TakesOverOtherRules,
    /// Whether an event is from the future is decided by the wall clock of whoever reads it.
    AsksTheWall,
    /// A machine's clock is believed wherever it jumps.
    BelievesTheWall,
    /// An answer about an input's end is believed for ever.
    BelievesOldEnds,
    /// One topic is read on although another one may still have earlier records.
    ReadsTopicByTopic,
    /// A snapshot is published without waiting for its epoch's commit.
    PublishesTooSoon,
    /// What is handed out is the shard as it is by then, not as it was at the cut.
    HandsOutThePresent,
    /// A snapshot is used whatever history it belongs to.
    TakesAnySnapshot,
    /// A snapshot that cannot be read is taken for an empty one.
    TakesDamagedForEmpty,
    /// Standings are those of the snapshot; what was published after it is left out.
    SkipsTheTail,
    /// Facts are those of the snapshot; the input between it and the shard's record is left out.
    SkipsTheInput,
    /// Whoever publishes a snapshot deletes all others, also later ones.
    DeletesLaterOnes,
}

impl Bug {
    pub const ALL: [Bug; 29] = [
        Bug::StampsAnew,
        Bug::KeepsForeignParts,
        Bug::CommitsWhileRevoked,
        Bug::TrustsMemory,
        Bug::LeavesOutUnchangedOffsets,
        Bug::CutsTheChain,
        Bug::KeepsProducer,
        Bug::TrustsRepeats,
        Bug::OpensAtOnce,
        Bug::ReadsBeforeNewProducer,
        Bug::TakesUnknownForFailed,
        Bug::TakesUnknownForCommitted,
        Bug::ReadsToStableOnly,
        Bug::WaitsForDeadOwners,
        Bug::FoldsTooFar,
        Bug::ForgetsStanding,
        Bug::ArmsAfterTheClock,
        Bug::TakesOverOtherRules,
        Bug::AsksTheWall,
        Bug::BelievesTheWall,
        Bug::BelievesOldEnds,
        Bug::ReadsTopicByTopic,
        Bug::PublishesTooSoon,
        Bug::HandsOutThePresent,
        Bug::TakesAnySnapshot,
        Bug::TakesDamagedForEmpty,
        Bug::SkipsTheTail,
        Bug::SkipsTheInput,
        Bug::DeletesLaterOnes,
    ];
}

#[cfg(feature = "sabotage")]
thread_local! {
    static BUG: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Does work with a bug in everything that the calling thread runs.
#[cfg(feature = "sabotage")]
pub fn with<T>(bug: Bug, work: impl FnOnce() -> T) -> T {
    BUG.set(Some(bug));
    let done = work();
    BUG.set(None);
    done
}

/// Whether this is to be done wrong.
#[cfg(feature = "sabotage")]
pub fn has(bug: Bug) -> bool {
    BUG.get() == Some(bug)
}

/// Whether this is to be done wrong: never.
#[cfg(not(feature = "sabotage"))]
pub const fn has(_bug: Bug) -> bool {
    false
}
