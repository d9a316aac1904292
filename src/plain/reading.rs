//! From rules as they are written to rules that can be evaluated: names looked up, series found. Types are not checked:
//! the rules were.

use super::decimal::Decimal;
use super::filter::{Filter, is_field};
use super::rules::{Dimension, FIELDS, Kind, Measure, Rule, Rules, Score, Segment, Series};
use super::value::Scalar;
use super::written::{Written, WrittenDimension, WrittenScore, WrittenSegment};
use crate::rules::ast::{Expr, Node};
use crate::rules::plan::Relation;
use crate::rules::units::parse_span;

/// An expression that no checked rules have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing that a rule can say")]
pub struct Unreadable(pub String);

impl Rules {
    pub fn new(written: &Written) -> Result<Rules, Unreadable> {
        let mut loader = Loader { written, series: Vec::new(), attributes: Vec::new() };
        let scores = written.scores.iter().map(|score| loader.score(score)).collect::<Result<_, _>>()?;
        let dimensions = written.dimensions.iter().map(|one| loader.dimension(one)).collect::<Result<_, _>>()?;
        let Loader { series, mut attributes, .. } = loader;
        attributes.sort();
        attributes.dedup();
        let (zone, kinds, interests) = (written.zone.clone(), written.kinds.clone(), written.interests);
        Ok(Rules { zone, kinds, series, scores, dimensions, interests, attributes })
    }
}

struct Loader<'a> {
    written: &'a Written,
    /// With the text of their filters, by which they are known.
    series: Vec<Series>,
    attributes: Vec<String>,
}

fn unreadable<T>(expr: &Expr) -> Result<T, Unreadable> {
    Err(Unreadable(expr.to_string()))
}

fn position<T>(list: &[T], expr: &Expr, is_it: impl Fn(&T) -> bool) -> Result<usize, Unreadable> {
    list.iter().position(is_it).ok_or_else(|| Unreadable(expr.to_string()))
}

/// A duration's text in ms.
fn window(text: &str) -> Result<i64, Unreadable> {
    parse_span(text).map(|span| span.0).map_err(|_| Unreadable(text.to_owned()))
}

impl Loader<'_> {
    fn score(&mut self, score: &WrittenScore) -> Result<Score, Unreadable> {
        Ok(Score { of: self.rule(&score.of)?, cuts: score.cuts.clone(), falling: score.falling })
    }

    fn dimension(&mut self, dimension: &WrittenDimension) -> Result<Dimension, Unreadable> {
        let names: Vec<&str> = dimension.segments.iter().map(|segment| &*segment.name).collect();
        let segments = dimension.segments.iter().map(|segment| self.segment(segment, &names));
        Ok(Dimension { name: dimension.name.clone(), segments: segments.collect::<Result<_, _>>()? })
    }

    fn segment(&mut self, segment: &WrittenSegment, names: &[&str]) -> Result<Segment, Unreadable> {
        let number = |name: &String| match names.iter().position(|known| known == name) {
            _ if name.is_empty() => Ok(None),
            Some(number) => Ok(Some(number)),
            None => Err(Unreadable(name.clone())),
        };
        let from = segment.from.as_ref().map(|from| from.iter().map(number).collect());
        Ok(Segment {
            name: segment.name.clone(),
            when: self.rule(&segment.when)?,
            stay: segment.stay.as_ref().map(|stay| self.rule(stay)).transpose()?,
            min_stay: segment.min_stay,
            cooldown: segment.cooldown,
            from: from.transpose()?,
        })
    }

    fn boxed(&mut self, expr: &Expr) -> Result<Box<Rule>, Unreadable> {
        self.rule(expr).map(Box::new)
    }

    fn rules(&mut self, exprs: &[Expr]) -> Result<Vec<Rule>, Unreadable> {
        exprs.iter().map(|expr| self.rule(expr)).collect()
    }

    fn rule(&mut self, expr: &Expr) -> Result<Rule, Unreadable> {
        Ok(match &expr.node {
            Node::Number(amount) => Rule::Number(Decimal::new(i128::from(amount.0), 4)),
            Node::Text(text) => Rule::Literal(Scalar::Text(text.to_string())),
            Node::Flag(flag) => Rule::Literal(Scalar::Truth(*flag)),
            Node::Not(inner) => Rule::Not(self.boxed(inner)?),
            Node::Negate(inner) => Rule::Negated(self.boxed(inner)?),
            Node::Product(parts) => Rule::Product(self.rules(parts)?),
            Node::Sum(terms) => {
                let term = |(minus, term): &(bool, Expr)| Ok((*minus, self.rule(term)?));
                Rule::Sum(terms.iter().map(term).collect::<Result<_, Unreadable>>()?)
            }
            Node::Compare { left, relation, right } => Rule::Compare(self.boxed(left)?, *relation, self.boxed(right)?),
            Node::In { left, right } => match &right.node {
                Node::List(elements) => Rule::In(self.boxed(left)?, self.rules(elements)?),
                _ => return unreadable(expr),
            },
            Node::All(parts) => Rule::All(self.rules(parts)?),
            Node::Any(parts) => Rule::Any(self.rules(parts)?),
            Node::Member { of, name } => self.member(expr, of, &name.text)?,
            Node::Call { of: None, name, arguments } => self.function(expr, &name.text, arguments)?,
            Node::Call { of: Some(of), name, arguments } => self.call(expr, of, &name.text, arguments)?,
            Node::Name(_) | Node::List(_) => return unreadable(expr),
        })
    }

    fn attribute(&mut self, name: &str) -> String {
        self.attributes.push(name.to_owned());
        name.to_owned()
    }

    fn member(&mut self, expr: &Expr, of: &Expr, name: &str) -> Result<Rule, Unreadable> {
        let Node::Name(of) = &of.node else { return unreadable(expr) };
        match &**of {
            "profile" => Ok(Rule::Profile(self.attribute(name))),
            "segment" => position(&self.written.dimensions, expr, |one| one.name == name).map(Rule::Segment),
            "score" => position(&self.written.scores, expr, |one| one.name == name).map(Rule::Score),
            _ => unreadable(expr),
        }
    }

    fn function(&mut self, expr: &Expr, name: &str, arguments: &[Expr]) -> Result<Rule, Unreadable> {
        match (name, arguments) {
            ("duration", [Expr { node: Node::Text(text), .. }]) => Ok(Rule::Number(Decimal::integer(window(text)?))),
            ("has", [attribute]) => match attribute.member_of("profile") {
                Some(name) => Ok(Rule::HasProfile(self.attribute(&name.text))),
                None => unreadable(expr),
            },
            _ => unreadable(expr),
        }
    }

    fn call(&mut self, expr: &Expr, of: &Expr, method: &str, arguments: &[Expr]) -> Result<Rule, Unreadable> {
        if let Some(dimension) = of.member_of("segment").filter(|_| method == "age") {
            let number = position(&self.written.dimensions, expr, |one| one.name == *dimension.text)?;
            return Ok(Rule::SegmentAge(number));
        }
        if let Some(attribute) = of.member_of("profile").filter(|_| method == "days_until") {
            return Ok(Rule::DaysUntil(self.attribute(&attribute.text)));
        }
        match &of.node {
            Node::Name(name) if &**name == "customer" && method == "age" => Ok(Rule::CustomerAge),
            _ => self.feature(expr, of, method, arguments),
        }
    }

    fn feature(&mut self, expr: &Expr, of: &Expr, method: &str, arguments: &[Expr]) -> Result<Rule, Unreadable> {
        let (kind, filter) = self.filtered(of)?;
        let window = match arguments.last().map(|last| &last.node) {
            Some(Node::Text(text)) => Some(window(text)?),
            _ => None,
        };
        let field = || match arguments.first().map(|first| &first.node) {
            Some(Node::Name(name)) => position(&FIELDS, expr, |field| *field == &**name),
            _ => unreadable(expr),
        };
        let measure = match method {
            "count" => Measure::Count,
            "sum" => Measure::Sum,
            "avg" => Measure::Avg,
            "max" => Measure::Max,
            "min" => Measure::Min,
            "days" => Measure::Days,
            "since_last" => Measure::SinceLast,
            "since_first" => Measure::SinceFirst,
            "gap" => Measure::Gap,
            "distinct" => Measure::Distinct(field()?),
            "top" => Measure::Top(field()?),
            _ => return unreadable(expr),
        };
        Ok(Rule::Feature { series: self.series(kind, filter, window), measure, window })
    }

    /// `K` or `K.where(F)`; several `where` count as one with all of them.
    fn filtered(&mut self, of: &Expr) -> Result<(usize, Option<Filter>), Unreadable> {
        match &of.node {
            Node::Name(name) => Ok((position(&self.written.kinds, of, |kind: &Kind| kind.name == **name)?, None)),
            Node::Call { of: Some(inner), name, arguments } if &*name.text == "where" => {
                let [added] = arguments.as_slice() else { return unreadable(of) };
                let (kind, filter) = self.filtered(inner)?;
                let added = self.filter(added)?;
                Ok((
                    kind,
                    Some(match filter {
                        Some(first) => Filter::All(vec![first, added]),
                        None => added,
                    }),
                ))
            }
            _ => unreadable(of),
        }
    }

    fn series(&mut self, kind: usize, filter: Option<Filter>, window: Option<i64>) -> usize {
        let known = self.series.iter().position(|series| series.kind == kind && series.filter == filter);
        let number = known.unwrap_or_else(|| {
            self.series.push(Series { kind, filter, windows: Vec::new() });
            self.series.len() - 1
        });
        let windows = &mut self.series[number].windows;
        windows.extend(window.filter(|window| !windows.contains(window)));
        number
    }

    fn filters(&mut self, exprs: &[Expr]) -> Result<Vec<Filter>, Unreadable> {
        exprs.iter().map(|expr| self.filter(expr)).collect()
    }

    fn filter(&mut self, expr: &Expr) -> Result<Filter, Unreadable> {
        Ok(match &expr.node {
            Node::Flag(flag) => Filter::Constant(*flag),
            Node::Not(inner) => Filter::Not(Box::new(self.filter(inner)?)),
            Node::All(parts) => Filter::All(self.filters(parts)?),
            Node::Any(parts) => Filter::Any(self.filters(parts)?),
            Node::In { left, right } => {
                let Node::List(elements) = &right.node else { return unreadable(expr) };
                let values = elements.iter().map(literal).collect::<Result<_, _>>()?;
                Filter::In(self.field(left)?, values).lowered()
            }
            Node::Compare { left, relation, right } => {
                let (field, relation, value) = match literal(left) {
                    Ok(value) => (right, mirrored(*relation), value),
                    Err(_) => (left, *relation, literal(right)?),
                };
                Filter::Compare(self.field(field)?, relation, value).lowered()
            }
            Node::Call { of: Some(field), name, arguments } => {
                let [Expr { node: Node::Text(part), .. }] = arguments.as_slice() else { return unreadable(expr) };
                let (field, part) = (self.field(field)?, part.to_string());
                match &*name.text {
                    "contains" => Filter::Contains(field, part),
                    "startsWith" => Filter::StartsWith(field, part),
                    "endsWith" => Filter::EndsWith(field, part),
                    _ => return unreadable(expr),
                }
                .lowered()
            }
            _ => Filter::Bare(self.field(expr)?),
        })
    }

    /// A field by its name; an attribute as `attributes.NAME`.
    fn field(&mut self, expr: &Expr) -> Result<String, Unreadable> {
        if let Some(attribute) = expr.member_of("attributes") {
            return Ok(format!("attributes.{}", self.attribute(&attribute.text)));
        }
        match &expr.node {
            Node::Name(name) if is_field(name) => Ok(name.to_string()),
            _ => unreadable(expr),
        }
    }
}

fn literal(expr: &Expr) -> Result<Scalar, Unreadable> {
    match &expr.node {
        Node::Text(text) => Ok(Scalar::Text(text.to_string())),
        Node::Flag(flag) => Ok(Scalar::Truth(*flag)),
        _ => literal_number(expr).map(|number| Scalar::Number(number.rounded())),
    }
}

fn literal_number(expr: &Expr) -> Result<Decimal, Unreadable> {
    match &expr.node {
        Node::Number(amount) => Ok(Decimal::new(i128::from(amount.0), 4)),
        Node::Negate(inner) => literal_number(inner).map(Decimal::negated),
        Node::Product(parts) => {
            parts.iter().try_fold(Decimal::integer(1), |product, part| Ok(product.times(literal_number(part)?)))
        }
        Node::Sum(terms) => terms.iter().try_fold(Decimal::ZERO, |sum, (minus, term)| {
            let term = literal_number(term)?;
            Ok(if *minus { sum.minus(term) } else { sum.plus(term) })
        }),
        _ => unreadable(expr),
    }
}

/// `a < b` is `b > a`.
fn mirrored(relation: Relation) -> Relation {
    match relation {
        Relation::Less => Relation::Greater,
        Relation::LessOrEqual => Relation::GreaterOrEqual,
        Relation::Greater => Relation::Less,
        Relation::GreaterOrEqual => Relation::LessOrEqual,
        Relation::Equal | Relation::NotEqual => relation,
    }
}
