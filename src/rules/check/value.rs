//! An expression's type and meaning: arithmetic becomes forms, logic becomes conditions. Collects every fault; `None`
//! means that something inside was refused and reported.

use super::Checker;
use super::form::{Form, TooLarge};
use crate::event::AttributeId;
use crate::rules::ast::{Expr, Node};
use crate::rules::diagnostic::{Code, Fault};
use crate::rules::place::Extent;
use crate::rules::plan::{Condition, Feature, Test, TextOperand, Unit};

/// What an expression is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Linear(Form),
    Text(TextOperand),
    /// `profile.X` alone: what stands beside it says what it is.
    Attribute(AttributeId),
    /// `true` or `false`.
    Flag(bool),
    Condition(Condition),
}

impl Value {
    pub(super) fn what(&self) -> &'static str {
        match self {
            Value::Linear(form) if form.unit == Unit::Duration => "a duration",
            Value::Linear(_) => "a number",
            Value::Text(_) => "a string",
            Value::Attribute(_) => "a profile attribute",
            Value::Flag(_) => "true or false",
            Value::Condition(_) => "a condition",
        }
    }
}

impl Checker<'_> {
    pub(super) fn value(&mut self, expr: &Expr) -> Option<Value> {
        match &expr.node {
            Node::Number(amount) => Some(Value::Linear(Form::number(*amount))),
            Node::Text(text) => Some(Value::Text(TextOperand::Literal(text.clone()))),
            Node::Flag(flag) => Some(Value::Flag(*flag)),
            Node::Name(name) => self.lone_name(name, expr.extent),
            Node::Member { of, name } => self.member(expr, of, name),
            Node::Call { of: None, name, arguments } => self.function(expr, name, arguments),
            Node::Call { of: Some(of), name, arguments } => self.method(expr, of, name, arguments),
            Node::List(_) => self.refuse(
                Fault::new(Code::WrongType, expr.extent, "a list that is not searched")
                    .help("a list stands after `in`: `x in [1, 2]`"),
            ),
            Node::Negate(inner) => Some(Value::Linear(self.linear(inner)?.negated())),
            Node::Sum(terms) => self.sum(terms).map(Value::Linear),
            Node::Product(factors) => self.product(factors).map(Value::Linear),
            Node::Not(inner) => Some(Value::Condition(Condition::Not(Box::new(self.condition(inner)?)))),
            Node::All(parts) => self.joined(expr, parts, Condition::All).map(Value::Condition),
            Node::Any(parts) => self.joined(expr, parts, Condition::Any).map(Value::Condition),
            Node::Compare { left, relation, right } => {
                let condition = self.compare(expr, left, *relation, right)?;
                self.lint_comparison(expr, &condition);
                Some(Value::Condition(condition))
            }
            Node::In { left, right } => {
                let condition = self.is_in(expr, left, right)?;
                self.lint_comparison(expr, &condition);
                Some(Value::Condition(condition))
            }
        }
    }

    /// The expression as a condition.
    pub(super) fn condition(&mut self, expr: &Expr) -> Option<Condition> {
        match self.value(expr)? {
            Value::Condition(condition) => Some(condition),
            Value::Flag(flag) => Some(Condition::Constant(flag)),
            Value::Attribute(attribute) => Some(self.test(expr, Test::Flag { attribute, expected: true })),
            other => self.refuse(
                Fault::new(Code::NotACondition, expr.extent, format!("{} where a condition belongs", other.what()))
                    .label("neither true nor false")
                    .help("compare it with something: `… >= 1`"),
            ),
        }
    }

    /// Checks all parts, so that every fault is found.
    fn joined(&mut self, expr: &Expr, parts: &[Expr], join: fn(Vec<Condition>) -> Condition) -> Option<Condition> {
        let checked: Vec<_> = parts.iter().map(|part| self.condition(part)).collect();
        let condition = join(checked.into_iter().collect::<Option<_>>()?);
        self.lint_joined(expr, &condition);
        Some(condition)
    }

    /// The expression as a number or duration.
    pub(super) fn linear(&mut self, expr: &Expr) -> Option<Form> {
        match self.value(expr)? {
            Value::Linear(form) => Some(form),
            Value::Attribute(attribute) => Some(self.attribute_number(attribute)),
            other => self.refuse(
                Fault::new(Code::WrongType, expr.extent, format!("{} in arithmetic", other.what()))
                    .label("expected a number or a duration"),
            ),
        }
    }

    pub(super) fn attribute_number(&mut self, attribute: AttributeId) -> Form {
        Form::feature(Unit::Number, self.catalog.feature(Feature::Profile(attribute)))
    }

    fn sum(&mut self, terms: &[(bool, Expr)]) -> Option<Form> {
        let forms: Vec<_> = terms.iter().map(|(minus, term)| (*minus, term.extent, self.linear(term))).collect();
        let mut total: Option<Form> = None;
        for (minus, extent, form) in forms {
            let form = if minus { form?.negated() } else { form? };
            total = Some(match total {
                None => form,
                Some(sum) if sum.unit == form.unit => self.fits(extent, sum.plus(form))?,
                Some(sum) => {
                    let (found, expected) = (unit_name(form.unit), unit_name(sum.unit));
                    return self.refuse(
                        Fault::new(Code::WrongType, extent, format!("{found} added to {expected}"))
                            .label(format!("expected {expected}"))
                            .help("durations are written `duration(\"30d\")`, numbers `30`"),
                    );
                }
            });
        }
        total
    }

    fn product(&mut self, factors: &[Expr]) -> Option<Form> {
        let forms: Vec<_> = factors.iter().map(|factor| (factor.extent, self.linear(factor))).collect();
        let mut product: Option<Form> = None;
        for (extent, form) in forms {
            let form = form?;
            product = Some(match product {
                None => form,
                Some(left) => self.times(extent, left, form)?,
            });
        }
        product
    }

    fn times(&mut self, extent: Extent, left: Form, right: Form) -> Option<Form> {
        if !left.is_literal() && !right.is_literal() {
            return self.refuse(
                Fault::new(Code::ProductOfFeatures, extent, "a feature times a feature")
                    .label("a second feature")
                    .help("one side of `*` is a literal: `0.5 * purchase.sum(\"30d\")`"),
            );
        }
        let plain = |form: &Form| form.is_literal() && form.unit == Unit::Number;
        let product = match (plain(&left), plain(&right)) {
            (_, true) => left.times(&right),
            (true, false) => right.times(&left),
            (false, false) => {
                return self.refuse(
                    Fault::new(Code::WrongType, extent, "a duration times something other than a literal number")
                        .help("multiply durations by a literal number: `2 * duration(\"1d\")`"),
                );
            }
        };
        self.fits(extent, product)
    }

    pub(super) fn fits<T>(&mut self, extent: Extent, result: Result<T, TooLarge>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(TooLarge) => self.refuse(
                Fault::new(Code::TooLargeNumbers, extent, "numbers too large to calculate exactly")
                    .label("coefficients must fit in 62 bits once they are integers")
                    .help("use smaller numbers, or fewer decimals"),
            ),
        }
    }
}

pub(super) fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Number => "a number",
        Unit::Duration => "a duration",
    }
}
