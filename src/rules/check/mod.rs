//! Declarations to a plan: parses every expression, resolves names, checks types, and builds what decides. Finds all
//! that is wrong, not only the first; a plan comes out only when nothing is.

mod catalog;
mod compare;
mod feature;
mod filter;
mod form;
mod lint;
mod scores;
mod value;
mod version;

use std::collections::BTreeSet;

use catalog::Catalog;
pub use feature::RESERVED;
use scores::Scores;

use super::ast::Expr;
use super::declared::{self, Declared};
use super::diagnostic::{Code, Diagnostic, Fault, nearest};
use super::parser::parse;
use super::place::{Excerpt, Extent};
use super::plan::{Condition, Dimension, From, Kind, Plan, ScoreId, Segment, SegmentId, SeriesId};
use crate::event::{Builtin, KindId, KindSchema, Schema};

/// A plan, when nothing is wrong, and all that is wrong or odd.
#[derive(Debug)]
pub struct Compiled {
    pub plan: Option<Plan>,
    pub diagnostics: Vec<Diagnostic>,
    /// The attributes that any expression reads, by name.
    pub attributes: Vec<Box<str>>,
}

/// Checks declarations and builds the plan.
pub fn compile(declared: &Declared) -> Compiled {
    let mut diagnostics = Vec::new();
    let parsed = Parsed::new(declared, &mut diagnostics);
    let attributes = parsed.attributes();
    let mut catalog = Catalog::new(declared.kinds.len(), &attributes);
    let names = catalog.attributes.clone();
    let scores = scores::check(declared, &parsed, &attributes, &mut catalog, &mut diagnostics);
    let dimensions = check_dimensions(declared, &parsed, &scores, &mut catalog, &mut diagnostics);
    if catalog.overflowed {
        diagnostics.extend(too_much(declared));
    }
    let refused = diagnostics.iter().any(Diagnostic::is_error);
    let plan = match dimensions {
        Some(dimensions) if !refused => {
            let known = lint::Known { declared, catalog: &catalog, scores: &scores };
            diagnostics.extend(lint::segments(known, &dimensions));
            Some(build(declared, &parsed, catalog, scores, dimensions))
        }
        _ => None,
    };
    Compiled { plan, diagnostics, attributes: names }
}

fn too_much(declared: &Declared) -> Option<Diagnostic> {
    let place = declared.dimensions.first()?.name.whole();
    let title = "rules with more than 65535 different features, comparisons or attributes";
    Some(Diagnostic::new(Code::TooMany, place, title).help("split them over several configurations"))
}

/// Every expression, where it could be read. Indexed as the declarations are.
pub(super) struct Parsed {
    scores: Vec<Option<Expr>>,
    /// `when` and `stay` of each segment.
    segments: Vec<Vec<(Option<Expr>, Option<Expr>)>>,
}

impl Parsed {
    fn new(declared: &Declared, diagnostics: &mut Vec<Diagnostic>) -> Parsed {
        let mut read = |excerpt: &Option<Excerpt>| {
            let excerpt = excerpt.as_ref()?;
            match parse(excerpt.text()) {
                Ok(expr) => Some(expr),
                Err(fault) => {
                    diagnostics.push(fault.within(excerpt));
                    None
                }
            }
        };
        let scores = declared.scores.iter().map(|score| read(&score.of)).collect();
        let mut segments = Vec::with_capacity(declared.dimensions.len());
        for dimension in &declared.dimensions {
            segments
                .push(dimension.segments.iter().map(|segment| (read(&segment.when), read(&segment.stay))).collect());
        }
        Parsed { scores, segments }
    }

    /// All expressions of segments.
    fn conditions(&self) -> impl Iterator<Item = &Expr> {
        self.segments.iter().flatten().flat_map(|(when, stay)| [when.as_ref(), stay.as_ref()]).flatten()
    }

    /// The names of all attributes that any expression reads.
    fn attributes(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for expr in self.conditions().chain(self.scores.iter().flatten()) {
            expr.walk(&mut |part| {
                for base in ["profile", "attributes"] {
                    if let Some(name) = part.member_of(base) {
                        names.insert(&*name.text);
                    }
                }
            });
        }
        names
    }
}

/// Where an expression stands: what it may read depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Score,
    /// Of a dimension.
    When(usize),
    Stay(usize),
}

/// Checks one expression.
struct Checker<'a> {
    declared: &'a Declared,
    excerpt: &'a Excerpt,
    scope: Scope,
    profile: KindId,
    scores: &'a Scores,
    catalog: &'a mut Catalog,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Dimensions that the expression reads, also through scores.
    dimensions_read: BTreeSet<usize>,
}

impl<'a> Checker<'a> {
    fn new(
        declared: &'a Declared,
        excerpt: &'a Excerpt,
        scope: Scope,
        scores: &'a Scores,
        catalog: &'a mut Catalog,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Checker<'a> {
        let profile = declared.kinds.iter().position(|kind| kind.builtin == Builtin::Profile);
        let profile = KindId(profile.expect("the built-in kinds are always declared") as u8);
        let dimensions_read = BTreeSet::new();
        Checker { declared, excerpt, scope, profile, scores, catalog, diagnostics, dimensions_read }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports a fault; the answer is always `None`.
    fn refuse<T>(&mut self, fault: Fault) -> Option<T> {
        self.report(fault.within(self.excerpt));
        None
    }

    /// Whether a dimension may be read here: an earlier one, and in `stay` also its own.
    fn reads_dimension(&mut self, read: usize, extent: Extent) -> Option<()> {
        self.dimensions_read.insert(read);
        let (own, allowed) = match self.scope {
            Scope::Score => return Some(()),
            Scope::When(own) => (own, read < own),
            Scope::Stay(own) => (own, read <= own),
        };
        if allowed {
            return Some(());
        }
        let name = self.declared.dimensions[read].name.text();
        let fault = if read == own {
            Fault::new(Code::ReadsLater, extent, format!("dimension `{name}` reads itself in `when`"))
                .help("only `stay` may read its own dimension; `from` says from where a segment is entered")
        } else {
            let own = self.declared.dimensions[own].name.text();
            Fault::new(Code::ReadsLater, extent, format!("dimension `{own}` reads the later `{name}`"))
                .help(format!("move `{name}` in front of `{own}`: dimensions are judged in order"))
        };
        let place = self.declared.dimensions[read].name.whole();
        self.report(fault.within(self.excerpt).related(place, "declared here"));
        None
    }

    /// The id of a score, when it was right.
    fn reads_score(&mut self, index: usize, extent: Extent) -> Option<ScoreId> {
        let scores = self.scores;
        let known = scores.known(index)?;
        let allowed: Vec<_> =
            known.dimensions_read.iter().map(|dimension| self.reads_dimension(*dimension, extent)).collect();
        allowed.into_iter().collect::<Option<()>>()?;
        Some(known.id)
    }
}

fn check_dimensions(
    declared: &Declared,
    parsed: &Parsed,
    scores: &Scores,
    catalog: &mut Catalog,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<Dimension>> {
    let mut dimensions = Vec::with_capacity(declared.dimensions.len());
    for (index, dimension) in declared.dimensions.iter().enumerate() {
        let mut segments = Vec::with_capacity(dimension.segments.len());
        for (segment, (when, stay)) in dimension.segments.iter().zip(&parsed.segments[index]) {
            let mut condition = |excerpt: &Option<Excerpt>, expr: &Option<Expr>, scope| {
                let (excerpt, expr) = (excerpt.as_ref()?, expr.as_ref()?);
                Checker::new(declared, excerpt, scope, scores, catalog, diagnostics).condition(expr)
            };
            let when = condition(&segment.when, when, Scope::When(index));
            let stay = condition(&segment.stay, stay, Scope::Stay(index));
            segments.push(check_segment(dimension, segment, when, stay, diagnostics));
        }
        let segments = segments.into_iter().collect::<Option<Vec<_>>>();
        dimensions.push(segments.map(|segments| Dimension { name: dimension.name.text().into(), segments }));
    }
    dimensions.into_iter().collect()
}

fn check_segment(
    dimension: &declared::Dimension,
    segment: &declared::Segment,
    when: Option<Condition>,
    stay: Option<Condition>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Segment> {
    let from = segment.from.as_ref().map(|from| check_from(dimension, from, diagnostics));
    if stay.is_none() && segment.stay.is_some() || from.as_ref().is_some_and(Option::is_none) {
        return None;
    }
    Some(Segment {
        name: segment.name.text().into(),
        when: when?,
        stay,
        min_stay: segment.min_stay,
        cooldown: segment.cooldown,
        from: from.flatten(),
        label: segment.label.clone(),
        action: segment.action.clone(),
    })
}

fn check_from(
    dimension: &declared::Dimension,
    from: &declared::From,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<From> {
    let mut checked = From::default();
    let mut wrong = false;
    for name in &from.names {
        let names = || dimension.segments.iter().map(|segment| segment.name.text());
        match names().position(|known| known == name.text()) {
            _ if name.text().is_empty() => checked.none = true,
            Some(index) => {
                let id = SegmentId(index as u8);
                if !checked.segments.contains(&id) {
                    checked.segments.push(id);
                }
            }
            None => {
                wrong = true;
                let title = format!("dimension `{}` has no segment `{}`", dimension.name.text(), name.text());
                let diagnostic = Diagnostic::new(Code::UnknownFrom, name.whole(), title).label("no such segment");
                diagnostics.push(match nearest(name.text(), names()) {
                    _ if name.text() == "none" => diagnostic.help("none is written `\"\"`"),
                    Some(near) => diagnostic.help(format!("did you mean `\"{near}\"`?")),
                    None => diagnostic.help(format!("its segments are {}", names().collect::<Vec<_>>().join(", "))),
                });
            }
        }
    }
    (!wrong).then_some(checked)
}

fn build(declared: &Declared, parsed: &Parsed, catalog: Catalog, scores: Scores, dimensions: Vec<Dimension>) -> Plan {
    let series_of = |kind: usize| {
        let of_kind = catalog.series.iter().enumerate().filter(|(_, series)| series.kind.0 as usize == kind);
        of_kind.map(|(index, _)| SeriesId(index as u16)).collect()
    };
    let kinds = declared.kinds.iter().enumerate().map(|(index, kind)| Kind {
        resolution: kind.resolution,
        dedup_window: kind.dedup_window,
        series: series_of(index),
    });
    let kinds = kinds.collect();
    let schemas = declared.kinds.iter().zip(&catalog.reads).map(|(kind, reads)| {
        let reads = if declared.interests.any() { reads.with_items(kind.builtin) } else { *reads };
        KindSchema {
            name: kind.name.clone(),
            builtin: kind.builtin,
            amount: kind.amount.clone(),
            texts: reads.texts,
            lines: reads.lines,
            attributes: reads.attributes,
        }
    });
    let schema = Schema {
        kinds: schemas.collect(),
        attributes: catalog.attributes,
        currency: declared.currency.clone(),
        rates: declared.rates.clone(),
    };
    Plan {
        version: version::of(declared, parsed),
        zone: declared.zone.clone(),
        schema,
        kinds,
        series: catalog.series,
        features: catalog.features,
        profile: catalog.profile.into_iter().collect(),
        scores: scores.into_plan(),
        comparisons: catalog.comparisons,
        dimensions,
        reasons: declared.reasons,
        interests: declared.interests,
    }
}
