//! Whether the topics are still what they were when the instance started.
//!
//! More partitions change where a customer's events go: a purchase may lie where nobody reads while time makes its
//! customer dormant. So nothing is committed unless every input was asked a moment before how many it has. A topic that was
//! made anew has nothing of what we know of it; that is looked at now and then.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use super::error::Error;
use super::tools::Tools;
use crate::kafka::Ends;

/// For how long an answer counts once it has come; where grace is short, half of it.
const COUNTS_FOR: Duration = Duration::from_millis(250);
/// After a question without an answer.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// A broker that has just started may not know its topics yet. One that does not know them for longer has lost them.
const MISSING_MAX: Duration = Duration::from_secs(12);

/// Knows when the inputs were last asked how many partitions they have.
pub struct Constancy<W> {
    tools: Arc<Tools>,
    watermarks: W,
    /// When the last answer came.
    counted: Option<Moment>,
    next_try: Moment,
}

impl<W: Ends> Constancy<W> {
    pub fn new(tools: Arc<Tools>, watermarks: W) -> Constancy<W> {
        let next_try = tools.pace.now();
        Constancy { tools, watermarks, counted: None, next_try }
    }

    /// When asking again may help; mostly it is past.
    pub fn next_try(&self) -> Moment {
        self.next_try
    }

    /// Whether the last answer still counts. The clock by which customers are judged is behind the wall clock by grace, so what
    /// producers did up to there was done before the question: no event up to there lies where nobody reads.
    pub fn is_certain(&self) -> bool {
        let limit = COUNTS_FOR.min(self.tools.end_age_max());
        self.counted.is_some_and(|counted| self.tools.pace.since(counted) <= limit)
    }

    /// Asks, where the last answer counts no longer. Without an answer it remains uncertain.
    pub fn ascertain(&mut self) -> Result<(), Error> {
        if self.is_certain() || self.tools.pace.now() < self.next_try {
            return Ok(());
        }
        let topics = &self.tools.topics;
        let counts = counts(&self.watermarks, topics).unwrap_or_default();
        compare(&self.tools, topics, &counts)?;
        let now = self.tools.pace.now();
        // One that is not known for the moment may come back with more.
        let is_known = counts.len() == topics.len() && counts.iter().all(Option::is_some);
        self.counted = is_known.then_some(now);
        self.next_try = if is_known { now } else { now + ASK_AGAIN };
        Ok(())
    }
}

/// How many partitions each topic has; `None` without an answer.
fn counts(watermarks: &impl Ends, topics: &[String]) -> Option<Vec<Option<usize>>> {
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    watermarks.n_partitions(&names).inspect_err(|error| tracing::warn!("{error}")).ok()
}

fn compare(tools: &Tools, topics: &[String], counts: &[Option<usize>]) -> Result<(), Error> {
    for (topic, now) in topics.iter().zip(counts) {
        if let Some(now) = now.filter(|&now| now != tools.n_partitions) {
            return Err(Error::PartitionsChanged { topic: topic.clone(), was: tools.n_partitions, now });
        }
    }
    Ok(())
}

/// What must stay as it was as long as we run, of inputs and outputs.
#[derive(Debug, Default)]
pub struct Inspection {
    /// A topic that was not there at the last look, and since when.
    missing: Option<(String, Moment)>,
}

impl Inspection {
    pub fn look(&mut self, tools: &Tools, watermarks: &impl Ends) -> Result<(), Error> {
        let topics: Vec<String> = tools.settings.requirements().into_iter().map(|required| required.topic).collect();
        let Some(counts) = counts(watermarks, &topics) else { return Ok(()) };
        let is_gone = |(topic, count): (&String, &Option<usize>)| count.is_none().then(|| topic.clone());
        match (topics.iter().zip(&counts).find_map(is_gone), &self.missing) {
            (None, _) => self.missing = None,
            (Some(topic), Some((before, since))) if topic == *before => {
                if tools.pace.since(*since) > MISSING_MAX {
                    return Err(Error::Gone { topic });
                }
            }
            (Some(topic), _) => self.missing = Some((topic, tools.pace.now())),
        }
        compare(tools, &topics, &counts)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        for (topic, now) in watermarks.topic_ids(&names) {
            if let Some(was) = tools.topic_ids.get(&topic).filter(|&was| *was != now) {
                return Err(Error::Recreated { topic, was: was.clone(), now });
            }
        }
        Ok(())
    }
}
