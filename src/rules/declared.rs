//! What a configuration says, read from its file but not yet understood: settings are values, conditions are text.
//! Everything knows where it stands. A part that was wrong already is left out (`None`), and was reported.

use super::place::{Excerpt, Place};
use super::plan::InterestLimits;
use crate::event::{Amount, AmountSource, Builtin, KindSchema, Rates, Schema, Span};

/// A configuration's rules.
#[derive(Debug, Clone)]
pub struct Declared {
    pub zone: jiff::tz::TimeZone,
    /// ISO 4217.
    pub currency: Box<str>,
    pub rates: Rates,
    /// The six built-in ones first, in the order of [`Builtin`], then those that the configuration adds, by name.
    pub kinds: Vec<Kind>,
    pub scores: Vec<Score>,
    pub dimensions: Vec<Dimension>,
    /// `[changes] reason`.
    pub reasons: bool,
    /// `[interests]`.
    pub interests: InterestLimits,
}

#[derive(Debug, Clone)]
pub struct Kind {
    pub name: Box<str>,
    pub builtin: Builtin,
    pub amount: AmountSource,
    pub resolution: Span,
    /// Where the resolution is set, if it is.
    pub resolution_place: Option<Place>,
    pub dedup_window: Span,
}

#[derive(Debug, Clone)]
pub struct Score {
    pub name: Excerpt,
    pub of: Option<Excerpt>,
    pub cuts: Vec<(Cut, Place)>,
    pub falling: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Number(Amount),
    Duration(Span),
}

#[derive(Debug, Clone)]
pub struct Dimension {
    pub name: Excerpt,
    pub segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
pub struct Segment {
    pub name: Excerpt,
    pub when: Option<Excerpt>,
    pub stay: Option<Excerpt>,
    pub min_stay: Option<Span>,
    pub cooldown: Option<Span>,
    pub from: Option<From>,
    pub label: Option<Box<str>>,
    pub action: Option<Box<str>>,
}

/// `from = [...]`.
#[derive(Debug, Clone)]
pub struct From {
    pub place: Place,
    pub names: Vec<Excerpt>,
}

impl Declared {
    /// What decoders need to take or reject an event, and nothing of what rules read of it.
    pub fn bare_schema(&self) -> Schema {
        let kinds = self.kinds.iter().map(|kind| KindSchema {
            name: kind.name.clone(),
            builtin: kind.builtin,
            amount: kind.amount.clone(),
            texts: Default::default(),
            lines: false,
            attributes: false,
        });
        let (currency, rates) = (self.currency.clone(), self.rates.clone());
        Schema { kinds: kinds.collect(), attributes: Vec::new(), currency, rates }
    }

    pub fn dimension(&self, name: &str) -> Option<usize> {
        self.dimensions.iter().position(|dimension| dimension.name.text() == name)
    }

    pub fn score(&self, name: &str) -> Option<usize> {
        self.scores.iter().position(|score| score.name.text() == name)
    }

    pub fn kind(&self, name: &str) -> Option<usize> {
        self.kinds.iter().position(|kind| &*kind.name == name)
    }
}
