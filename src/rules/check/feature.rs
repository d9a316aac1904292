//! Names, and what is called on them: features of kinds, of the customer, of the profile, of dimensions, of scores.

use super::Checker;
use super::filter::text_field;
use super::form::Form;
use super::value::Value;
use crate::event::{AmountSource, Builtin, KindId, Span, TextField};
use crate::rules::ast::{Expr, Node, Word};
use crate::rules::diagnostic::{Code, Fault, nearest};
use crate::rules::place::Extent;
use crate::rules::plan::{DimensionId, Feature, FeatureId, Filter, Measure, SeriesId, Test, TextOperand, Unit};
use crate::rules::units::parse_span;

/// What can be asked of a kind.
const FEATURES: [&str; 12] =
    ["count", "sum", "avg", "max", "min", "days", "since_last", "since_first", "gap", "distinct", "top", "where"];

/// Names that stand for something other than a kind; no kind may have one.
pub const RESERVED: [&str; 9] = ["customer", "segment", "score", "duration", "has", "in", "true", "false", "null"];

/// `distinct` and `top` keep the values of these.
const VALUE_FIELDS: [TextField; 4] = [TextField::Category, TextField::Brand, TextField::Product, TextField::Query];

/// Days are counted in a time zone: every zone's midnight is a multiple of this.
const DAY_GRID: Span = Span(15 * Span::MINUTE.0);

/// One feature of one kind, as it was written.
struct Asked<'a> {
    kind: KindId,
    filter: Option<Filter>,
    name: &'a Word,
    arguments: &'a [Expr],
    extent: Extent,
}

impl Checker<'_> {
    /// A name by itself is never a value.
    pub(super) fn lone_name(&mut self, name: &str, extent: Extent) -> Option<Value> {
        let fault = match name {
            _ if self.declared.kind(name).is_some() => {
                Fault::new(Code::WrongType, extent, format!("`{name}` alone is no value"))
                    .help(format!("ask something of the kind: `{name}.count(\"30d\")`"))
            }
            "customer" => Fault::new(Code::WrongType, extent, "`customer` alone is no value").help("`customer.age()`"),
            "segment" | "score" => Fault::new(Code::WrongType, extent, format!("`{name}` alone is no value"))
                .help(format!("name one: `{name}.x`")),
            _ => self.unknown_name(name, extent),
        };
        self.refuse(fault)
    }

    fn unknown_name(&self, name: &str, extent: Extent) -> Fault {
        let known = || self.declared.kinds.iter().map(|kind| &*kind.name).chain(["customer", "segment", "score"]);
        let fault = Fault::new(Code::UnknownName, extent, format!("there is no `{name}`")).label("unknown name");
        match nearest(name, known()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help(format!("names here are {}", known().collect::<Vec<_>>().join(", "))),
        }
    }

    /// `of.name` without a call.
    pub(super) fn member(&mut self, expr: &Expr, of: &Expr, name: &Word) -> Option<Value> {
        let Node::Name(base) = &of.node else {
            return self.member_of_something(expr, of, name);
        };
        match &**base {
            "profile" => Some(Value::Attribute(self.catalog.profile_attribute(&name.text, self.profile))),
            "segment" => {
                let dimension = self.dimension(name)?;
                Some(Value::Text(TextOperand::Segment(dimension)))
            }
            "score" => self.score(name),
            "customer" => {
                let fault = Fault::new(Code::UnknownFeature, name.extent, format!("`customer` has no `{}`", name.text));
                self.refuse(if &*name.text == "age" {
                    fault.help("features are called: `customer.age()`")
                } else {
                    fault.help(format!("`customer.age()` is all; an attribute is `profile.{}`", name.text))
                })
            }
            kind if self.declared.kind(kind).is_some() => {
                let title = format!("`{kind}.{}` is not called", name.text);
                let fault = Fault::new(Code::UnknownFeature, name.extent, title);
                self.refuse(match nearest(&name.text, FEATURES) {
                    Some(near) if near == &*name.text => fault.help(format!("features are called: `{kind}.{near}(…)`")),
                    Some(near) => fault.help(format!("did you mean `{kind}.{near}(…)`?")),
                    None => fault.help("fields of events stand inside `where(…)`; attributes are `profile.X`"),
                })
            }
            _ => {
                let fault = self.unknown_name(base, of.extent);
                self.refuse(fault)
            }
        }
    }

    fn member_of_something(&mut self, expr: &Expr, of: &Expr, name: &Word) -> Option<Value> {
        let fault = Fault::new(Code::UnknownFeature, name.extent, format!("nothing has a `{}` here", name.text));
        let called = of.member_of("profile").is_some() && &*name.text == "days_until"
            || of.member_of("segment").is_some() && &*name.text == "age";
        self.refuse(if called {
            let text = &self.excerpt.text()[expr.extent.start..expr.extent.end];
            fault.help(format!("features are called: `{text}()`"))
        } else {
            fault
        })
    }

    /// `name(arguments)` on nothing.
    pub(super) fn function(&mut self, expr: &Expr, name: &Word, arguments: &[Expr]) -> Option<Value> {
        match (&*name.text, arguments) {
            ("duration", [Expr { node: Node::Text(text), extent }]) => {
                let span = self.span(text, *extent)?;
                Some(Value::Linear(Form::duration(span.0)))
            }
            ("duration", _) => self.refuse(
                Fault::new(Code::WrongArguments, expr.extent, "`duration` takes one string")
                    .help("write `duration(\"30d\")`"),
            ),
            ("has", [argument]) if argument.member_of("profile").is_some() => {
                let name = argument.member_of("profile").expect("it was matched");
                let attribute = self.catalog.profile_attribute(&name.text, self.profile);
                Some(Value::Condition(self.test(expr, Test::Has(attribute))))
            }
            ("has", _) => self.refuse(
                Fault::new(Code::WrongArguments, expr.extent, "`has` takes one profile attribute")
                    .help("write `has(profile.birthday)`"),
            ),
            _ => {
                let title = format!("there is no function `{}`", name.text);
                let fault = Fault::new(Code::UnknownName, name.extent, title).label("unknown name");
                self.refuse(match nearest(&name.text, ["duration", "has"]) {
                    Some(near) => fault.help(format!("did you mean `{near}`?")),
                    None => fault.help("features belong to a kind: `purchase.count(\"30d\")`"),
                })
            }
        }
    }

    /// A duration that stands in a string of the expression.
    pub(super) fn span(&mut self, text: &str, extent: Extent) -> Option<Span> {
        match parse_span(text) {
            Ok(span) => Some(span),
            Err(why) => self.refuse(
                Fault::new(Code::BadDuration, extent, format!("\"{text}\" is not a duration")).help(why.help(text)),
            ),
        }
    }

    /// `of.name(arguments)`.
    pub(super) fn method(&mut self, expr: &Expr, of: &Expr, name: &Word, arguments: &[Expr]) -> Option<Value> {
        if let Some(attribute) = of.member_of("profile") {
            return self.days_until(expr, attribute, name, arguments);
        }
        if let Some(dimension) = of.member_of("segment") {
            return self.segment_age(expr, dimension, name, arguments);
        }
        let (base, filter) = match &of.node {
            Node::Name(base) => (base, None),
            Node::Call { of: Some(inner), name, arguments } if &*name.text == "where" => {
                match (&inner.node, &**arguments) {
                    (Node::Name(base), [filter]) => (base, Some(filter)),
                    (Node::Name(_), _) => {
                        return self.refuse(
                            Fault::new(Code::WrongArguments, of.extent, "`where` takes one condition")
                                .help("join conditions with `&&`: `where(channel == \"app\" && amount > 10)`"),
                        );
                    }
                    _ => return self.where_of_something(of),
                }
            }
            _ => return self.where_of_something(of),
        };
        match &**base {
            "customer" if filter.is_none() => self.customer_age(expr, name, arguments),
            "segment" | "score" => {
                let fault = Fault::new(Code::UnknownFeature, name.extent, format!("`{base}` has no `{}`", name.text));
                self.refuse(fault.help(format!("name one first: `{base}.{}`", name.text)))
            }
            kind => match self.declared.kind(kind) {
                Some(kind) => self.asked(expr, KindId(kind as u8), filter, name, arguments),
                None => {
                    let fault = self.unknown_name(kind, of.extent);
                    self.refuse(fault)
                }
            },
        }
    }

    fn where_of_something(&mut self, of: &Expr) -> Option<Value> {
        self.refuse(
            Fault::new(Code::UnknownFeature, of.extent, "features are asked of a kind")
                .label("this is none")
                .help("a kind takes one `where`: `purchase.where(a && b).count(\"30d\")`"),
        )
    }

    fn asked(
        &mut self,
        expr: &Expr,
        kind: KindId,
        filter: Option<&Expr>,
        name: &Word,
        arguments: &[Expr],
    ) -> Option<Value> {
        let filter = filter.map(|filter| self.filter(kind, filter));
        // A wrong filter does not hide a wrong feature: it is checked as if it had none.
        let passed = filter.clone().flatten();
        let form = self.kind_feature(Asked { kind, filter: passed, name, arguments, extent: expr.extent })?;
        if filter.is_some_and(|filter| filter.is_none()) { None } else { Some(Value::Linear(form)) }
    }

    fn kind_feature(&mut self, asked: Asked<'_>) -> Option<Form> {
        let measure = match &*asked.name.text {
            "count" => Measure::Count,
            "sum" => Measure::Sum,
            "avg" => Measure::Avg,
            "max" => Measure::Max,
            "min" => Measure::Min,
            "days" => Measure::Days,
            "since_last" | "since_first" | "gap" => return self.since(asked),
            "distinct" | "top" => return self.values(asked),
            _ => return self.unknown_feature(&asked),
        };
        if !matches!(measure, Measure::Count | Measure::Days) {
            self.has_amounts(&asked)?;
        }
        if measure == Measure::Days {
            self.days_fit(&asked)?;
        }
        let feature = match asked.arguments {
            [] => {
                let series = self.series(&asked);
                self.catalog.ever(series, measure)
            }
            [window] => {
                let window = self.window(asked.kind, window)?;
                let series = self.series(&asked);
                self.catalog.window(series, measure, window)
            }
            _ => return self.wrong_arguments(&asked, "takes a window, or nothing", "count(\"30d\")"),
        };
        Some(Form::feature(Unit::Number, feature))
    }

    fn unknown_feature<T>(&mut self, asked: &Asked<'_>) -> Option<T> {
        let (kind, name) = (&self.declared.kinds[asked.kind.0 as usize].name, &asked.name.text);
        let fault = Fault::new(Code::UnknownFeature, asked.name.extent, format!("`{kind}` has no feature `{name}`"))
            .label("unknown feature");
        let fault = match nearest(name, FEATURES) {
            Some(_) if &**name == "where" => fault.help(format!("ask for something: `{kind}.where(…).count(\"30d\")`")),
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help(format!("features are {}", FEATURES.join(", "))),
        };
        self.refuse(fault)
    }

    fn wrong_arguments<T>(&mut self, asked: &Asked<'_>, takes: &str, example: &str) -> Option<T> {
        let kind = &self.declared.kinds[asked.kind.0 as usize].name;
        let help = format!("write `{kind}.{example}`");
        self.refuse(Fault::new(Code::WrongArguments, asked.extent, format!("`{}` {takes}", asked.name.text)).help(help))
    }

    fn series(&mut self, asked: &Asked<'_>) -> SeriesId {
        let lines = asked.filter.is_some() && self.has_lines(asked.kind);
        self.catalog.reads[asked.kind.0 as usize].lines |= lines;
        self.catalog.series(asked.kind, asked.filter.clone())
    }

    fn has_lines(&self, kind: KindId) -> bool {
        matches!(self.declared.kinds[kind.0 as usize].builtin, Builtin::Purchase | Builtin::Refund)
    }

    fn since(&mut self, asked: Asked<'_>) -> Option<Form> {
        if !asked.arguments.is_empty() {
            let example = format!("{}()", asked.name.text);
            return self.wrong_arguments(&asked, "takes nothing: it looks at all events ever", &example);
        }
        let series = self.series(&asked);
        let feature: FeatureId = match &*asked.name.text {
            "since_last" => self.catalog.since_last(series),
            "since_first" => self.catalog.since_first(series),
            _ => self.catalog.gap(series),
        };
        Some(Form::feature(Unit::Duration, feature))
    }

    /// `distinct(field, W)` and `top(field, W)`.
    fn values(&mut self, asked: Asked<'_>) -> Option<Form> {
        let [Expr { node: Node::Name(field), extent }, window] = asked.arguments else {
            let example = format!("{}(category, \"365d\")", asked.name.text);
            return self.wrong_arguments(&asked, "takes a field and a window", &example);
        };
        let found = text_field(field).filter(|field| VALUE_FIELDS.contains(field));
        let window = self.window(asked.kind, window);
        let Some(field) = found else {
            let names = VALUE_FIELDS.map(TextField::name);
            let fault =
                Fault::new(Code::UnknownField, *extent, format!("`{}` cannot count `{field}`", asked.name.text));
            return self.refuse(match nearest(field, names) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("it counts {}", names.join(", "))),
            });
        };
        if self.kind_has(asked.kind, field.name()) {
            let lines = self.has_lines(asked.kind);
            let reads = &mut self.catalog.reads[asked.kind.0 as usize];
            reads.texts[field as usize] = true;
            reads.lines |= lines;
        } else {
            self.warn_missing_field(asked.kind, field.name(), *extent);
        }
        let series = self.series(&asked);
        let index = self.catalog.values(series, field);
        let measure = if &*asked.name.text == "top" { Measure::Top(index) } else { Measure::Distinct(index) };
        Some(Form::feature(Unit::Number, self.catalog.window(series, measure, window?)))
    }

    fn has_amounts(&mut self, asked: &Asked<'_>) -> Option<()> {
        let kind = &self.declared.kinds[asked.kind.0 as usize];
        if kind.amount != AmountSource::None {
            return Some(());
        }
        let title = format!("`{}` of `{}`, which has no amounts", asked.name.text, kind.name);
        let help = format!("count its events, or say which field is its amount: `[kind.{}] amount = \"…\"`", kind.name);
        self.refuse(Fault::new(Code::NoAmounts, asked.name.extent, title).label("needs amounts").help(help))
    }

    fn days_fit(&mut self, asked: &Asked<'_>) -> Option<()> {
        let kind = &self.declared.kinds[asked.kind.0 as usize];
        if DAY_GRID.0 % kind.resolution.0 == 0 {
            return Some(());
        }
        let title = format!("`days` of `{}`, whose resolution is {}", kind.name, kind.resolution);
        let place = kind.resolution_place.clone();
        let fault = Fault::new(Code::DaysResolution, asked.name.extent, title)
            .label("days begin at midnight of a time zone")
            .help("choose a resolution that divides 15m, or count events instead");
        let mut diagnostic = fault.within(self.excerpt);
        if let Some(place) = place {
            diagnostic = diagnostic.related(place, "the resolution");
        }
        self.report(diagnostic);
        None
    }

    /// The window that an argument says, checked against the kind's resolution.
    fn window(&mut self, kind: KindId, argument: &Expr) -> Option<Span> {
        let Node::Text(text) = &argument.node else {
            return self.refuse(
                Fault::new(Code::WrongArguments, argument.extent, "a window that is no string")
                    .help("write it as `\"30d\"`"),
            );
        };
        let window = self.span(text, argument.extent)?;
        let kind = &self.declared.kinds[kind.0 as usize];
        if window.0 == 0 {
            return self.refuse(
                Fault::new(Code::BadWindow, argument.extent, "a window of zero length")
                    .label("nothing is ever in it")
                    .help("a window is at least as long as the kind's resolution"),
            );
        }
        if window.0 % kind.resolution.0 == 0 {
            return Some(window);
        }
        let title =
            format!("the window {window} is no multiple of the resolution of `{}`, {}", kind.name, kind.resolution);
        let longer = Span((window.0 / kind.resolution.0 + 1) * kind.resolution.0);
        let mut diagnostic = Fault::new(Code::BadWindow, argument.extent, title)
            .help(format!("use \"{longer}\", or a finer `resolution`"))
            .within(self.excerpt);
        if let Some(place) = &kind.resolution_place {
            diagnostic = diagnostic.related(place.clone(), "the resolution");
        }
        self.report(diagnostic);
        None
    }

    fn customer_age(&mut self, expr: &Expr, name: &Word, arguments: &[Expr]) -> Option<Value> {
        if &*name.text != "age" {
            let fault = Fault::new(Code::UnknownFeature, name.extent, format!("`customer` has no `{}`", name.text));
            return self.refuse(fault.help("`customer.age()` is all that a customer has; ask a kind for more"));
        }
        self.no_arguments(expr, name, arguments)?;
        Some(Value::Linear(Form::feature(Unit::Duration, self.catalog.feature(Feature::CustomerAge))))
    }

    fn no_arguments(&mut self, expr: &Expr, name: &Word, arguments: &[Expr]) -> Option<()> {
        if arguments.is_empty() {
            return Some(());
        }
        self.refuse(
            Fault::new(Code::WrongArguments, expr.extent, format!("`{}` takes nothing", name.text))
                .help(format!("write `{}()`", name.text)),
        )
    }

    fn days_until(&mut self, expr: &Expr, attribute: &Word, name: &Word, arguments: &[Expr]) -> Option<Value> {
        if &*name.text != "days_until" {
            let fault = Fault::new(Code::UnknownFeature, name.extent, format!("an attribute has no `{}`", name.text));
            return self.refuse(fault.help("of an attribute, `days_until()` can be asked"));
        }
        self.no_arguments(expr, name, arguments)?;
        let attribute = self.catalog.profile_attribute(&attribute.text, self.profile);
        Some(Value::Linear(Form::feature(Unit::Number, self.catalog.feature(Feature::DaysUntil(attribute)))))
    }

    fn segment_age(&mut self, expr: &Expr, dimension: &Word, name: &Word, arguments: &[Expr]) -> Option<Value> {
        if &*name.text != "age" {
            let fault = Fault::new(Code::UnknownFeature, name.extent, format!("a standing has no `{}`", name.text));
            return self.refuse(fault.help("of a standing, `age()` can be asked"));
        }
        let dimension = self.dimension(dimension);
        self.no_arguments(expr, name, arguments)?;
        let feature = self.catalog.feature(Feature::SegmentAge(dimension?));
        Some(Value::Linear(Form::feature(Unit::Duration, feature)))
    }

    /// A dimension that may be read here.
    fn dimension(&mut self, name: &Word) -> Option<DimensionId> {
        let Some(index) = self.declared.dimension(&name.text) else {
            let names = || self.declared.dimensions.iter().map(|dimension| dimension.name.text());
            let fault =
                Fault::new(Code::UnknownDimension, name.extent, format!("there is no dimension `{}`", name.text))
                    .label("unknown dimension");
            return self.refuse(match nearest(&name.text, names()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("dimensions are {}", names().collect::<Vec<_>>().join(", "))),
            });
        };
        self.reads_dimension(index, name.extent)?;
        Some(DimensionId(index as u8))
    }

    fn score(&mut self, name: &Word) -> Option<Value> {
        let Some(index) = self.declared.score(&name.text) else {
            let names = || self.declared.scores.iter().map(|score| score.name.text());
            let fault = Fault::new(Code::UnknownScore, name.extent, format!("there is no score `{}`", name.text))
                .label("unknown score");
            return self.refuse(match nearest(&name.text, names()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None if self.declared.scores.is_empty() => fault.help(format!("declare it: `[score.{}]`", name.text)),
                None => fault.help(format!("scores are {}", names().collect::<Vec<_>>().join(", "))),
            });
        };
        let score = self.reads_score(index, name.extent)?;
        Some(Value::Linear(Form::feature(Unit::Number, self.catalog.feature(Feature::Score(score)))))
    }
}
