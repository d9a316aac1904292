//! Rules as they are written: settings as values, conditions parsed and not understood. Whoever can read a configuration
//! can make one.

use jiff::tz::TimeZone;

use super::decimal::Decimal;
use super::interests::Limits;
use super::reading::Unreadable;
use super::rules::Kind;
use crate::rules::ast::Expr;
use crate::rules::declared::{self, Cut, Declared};
use crate::rules::parser::parse;
use crate::rules::place::Excerpt;
use crate::rules::plan::InterestLimits;

/// What a configuration says that takes part in a decision.
#[derive(Debug, Clone)]
pub struct Written {
    pub zone: TimeZone,
    pub kinds: Vec<Kind>,
    pub scores: Vec<WrittenScore>,
    pub dimensions: Vec<WrittenDimension>,
    /// `[interests]`, as far as anything is asked for.
    pub interests: Option<Limits>,
}

/// `[score.NAME]`. Cuts that are durations in ms.
#[derive(Debug, Clone)]
pub struct WrittenScore {
    pub name: String,
    pub of: Expr,
    pub cuts: Vec<Decimal>,
    pub falling: bool,
}

/// `[[dimension]]`
#[derive(Debug, Clone)]
pub struct WrittenDimension {
    pub name: String,
    pub segments: Vec<WrittenSegment>,
}

/// `[[dimension.segment]]`. Durations in ms; in `from`, `""` is none.
#[derive(Debug, Clone)]
pub struct WrittenSegment {
    pub name: String,
    pub when: Expr,
    pub stay: Option<Expr>,
    pub min_stay: Option<i64>,
    pub cooldown: Option<i64>,
    pub from: Option<Vec<String>>,
}

impl Written {
    /// What a rules file declares, once it was checked.
    pub fn new(declared: &Declared) -> Result<Written, Unreadable> {
        let kind = |kind: &declared::Kind| Kind {
            name: kind.name.to_string(),
            builtin: kind.builtin,
            resolution: kind.resolution.0,
            dedup_window: kind.dedup_window.0,
        };
        let dimension = |dimension: &declared::Dimension| {
            let segments = dimension.segments.iter().map(segment).collect::<Result<_, Unreadable>>()?;
            Ok(WrittenDimension { name: dimension.name.text().to_owned(), segments })
        };
        let InterestLimits { categories, brands, queries, products } = declared.interests;
        let limits = [categories, brands, queries, products].map(usize::from);
        Ok(Written {
            zone: declared.zone.clone(),
            kinds: declared.kinds.iter().map(kind).collect(),
            scores: declared.scores.iter().map(score).collect::<Result<_, Unreadable>>()?,
            dimensions: declared.dimensions.iter().map(dimension).collect::<Result<_, Unreadable>>()?,
            interests: declared.interests.any().then_some(limits),
        })
    }
}

fn score(score: &declared::Score) -> Result<WrittenScore, Unreadable> {
    let cut = |(cut, _): &(Cut, _)| match cut {
        Cut::Number(amount) => Decimal::new(i128::from(amount.0), 4),
        Cut::Duration(span) => Decimal::integer(span.0),
    };
    Ok(WrittenScore {
        name: score.name.text().to_owned(),
        of: expression(score.of.as_ref())?,
        cuts: score.cuts.iter().map(cut).collect(),
        falling: score.falling,
    })
}

fn segment(segment: &declared::Segment) -> Result<WrittenSegment, Unreadable> {
    let names = |from: &declared::From| from.names.iter().map(|name| name.text().to_owned()).collect();
    Ok(WrittenSegment {
        name: segment.name.text().to_owned(),
        when: expression(segment.when.as_ref())?,
        stay: segment.stay.as_ref().map(|stay| expression(Some(stay))).transpose()?,
        min_stay: segment.min_stay.map(|span| span.0),
        cooldown: segment.cooldown.map(|span| span.0),
        from: segment.from.as_ref().map(names),
    })
}

fn expression(excerpt: Option<&Excerpt>) -> Result<Expr, Unreadable> {
    let text = excerpt.map_or("", Excerpt::text);
    parse(text).map_err(|_| Unreadable(text.to_owned()))
}
