//! Comparisons: which types may meet, and what they then mean.

use super::Checker;
use super::form::{Form, on_one_scale};
use super::value::{Value, unit_name};
use crate::event::AttributeId;
use crate::rules::ast::{Expr, Node};
use crate::rules::diagnostic::{Code, Fault, nearest};
use crate::rules::place::Extent;
use crate::rules::plan::{Condition, DimensionId, Relation, Test, TextOperand, Unit};

impl Checker<'_> {
    /// The comparison at `expr` as a condition, known once however often it is written.
    pub(super) fn test(&mut self, expr: &Expr, test: Test) -> Condition {
        let text = normalised(bare(self.excerpt.text(), expr));
        Condition::Compare(self.catalog.comparison(text.into(), test))
    }

    pub(super) fn compare(&mut self, expr: &Expr, left: &Expr, relation: Relation, right: &Expr) -> Option<Condition> {
        let (l, r) = (self.value(left), self.value(right));
        match (l?, r?) {
            (Value::Attribute(_), Value::Attribute(_)) => self.refuse(
                Fault::new(Code::ProfileWithProfile, expr.extent, "a profile attribute compared with another")
                    .label("neither side says whether they are numbers or strings")
                    .help("compare each with a literal"),
            ),
            (Value::Attribute(attribute), Value::Linear(form)) => {
                let attribute = self.attribute_beside(attribute, &form, left.extent)?;
                self.compare_forms(expr, attribute, relation, form, right.extent)
            }
            (Value::Linear(form), Value::Attribute(attribute)) => {
                let attribute = self.attribute_beside(attribute, &form, right.extent)?;
                self.compare_forms(expr, form, relation, attribute, right.extent)
            }
            (Value::Linear(l), Value::Linear(r)) => self.compare_forms(expr, l, relation, r, right.extent),
            (Value::Attribute(attribute), Value::Text(text)) => {
                self.compare_texts(expr, TextOperand::Profile(attribute), relation, text, (left, right))
            }
            (Value::Text(text), Value::Attribute(attribute)) => {
                self.compare_texts(expr, text, relation, TextOperand::Profile(attribute), (left, right))
            }
            (Value::Text(l), Value::Text(r)) => self.compare_texts(expr, l, relation, r, (left, right)),
            (Value::Flag(flag), other) | (other, Value::Flag(flag)) => self.compare_flag(expr, other, relation, flag),
            (l, r) => self.mismatch(right.extent, &l, &r),
        }
    }

    fn mismatch<T>(&mut self, extent: Extent, left: &Value, right: &Value) -> Option<T> {
        let both_conditions = matches!((left, right), (Value::Condition(_), Value::Condition(_)));
        let (title, help) = if both_conditions {
            ("a condition compared with another".to_string(), "join conditions with `&&`, `||` and `!`")
        } else {
            let title = format!("{} compared with {}", left.what(), right.what());
            (title, "durations are written `duration(\"30d\")`, numbers `30`, strings `\"DE\"`")
        };
        self.refuse(Fault::new(Code::WrongType, extent, title).label(format!("this is {}", right.what())).help(help))
    }

    /// An attribute compared with a form is a number.
    fn attribute_beside(&mut self, attribute: AttributeId, form: &Form, extent: Extent) -> Option<Form> {
        if form.unit == Unit::Duration {
            return self.refuse(
                Fault::new(Code::WrongType, extent, "a profile attribute compared with a duration")
                    .label("an attribute is a string, a number or a boolean"),
            );
        }
        Some(self.attribute_number(attribute))
    }

    fn compare_forms(
        &mut self,
        expr: &Expr,
        left: Form,
        relation: Relation,
        right: Form,
        at: Extent,
    ) -> Option<Condition> {
        if left.unit != right.unit {
            return self.mismatch(at, &Value::Linear(left), &Value::Linear(right));
        }
        let unit = left.unit;
        let (linears, scale) = self.fits(expr.extent, on_one_scale(&[&left, &right]))?;
        let [left, right] = <[_; 2]>::try_from(linears).expect("two forms give two sums");
        let test = Test::Linear { left, relation, right, unit, scale };
        Some(self.test(expr, test))
    }

    fn compare_texts(
        &mut self,
        expr: &Expr,
        left: TextOperand,
        relation: Relation,
        right: TextOperand,
        (left_expr, right_expr): (&Expr, &Expr),
    ) -> Option<Condition> {
        let Some(negated) = negation(relation) else {
            return self.refuse(
                Fault::new(Code::OrderOfTexts, expr.extent, format!("`{relation}` between strings"))
                    .label("strings have no order here")
                    .help("strings are compared with `==`, `!=` or `in`"),
            );
        };
        match (&left, &right) {
            (TextOperand::Segment(dimension), TextOperand::Literal(name)) => {
                self.known_segment(*dimension, name, right_expr.extent)?;
            }
            (TextOperand::Literal(name), TextOperand::Segment(dimension)) => {
                self.known_segment(*dimension, name, left_expr.extent)?;
            }
            _ => {}
        }
        Some(self.test(expr, Test::Text { left, negated, right }))
    }

    fn compare_flag(&mut self, expr: &Expr, other: Value, relation: Relation, flag: bool) -> Option<Condition> {
        let Some(negated) = negation(relation) else {
            return self.refuse(
                Fault::new(Code::WrongType, expr.extent, format!("`{relation}` between truths"))
                    .help("true and false are compared with `==` or `!=`"),
            );
        };
        let expected = flag != negated;
        match other {
            Value::Attribute(attribute) => Some(self.test(expr, Test::Flag { attribute, expected })),
            Value::Flag(other) => Some(Condition::Constant(other == expected)),
            Value::Condition(condition) if expected => Some(condition),
            Value::Condition(condition) => Some(Condition::Not(Box::new(condition))),
            other => self.mismatch(expr.extent, &other, &Value::Flag(flag)),
        }
    }

    fn known_segment(&mut self, dimension: DimensionId, name: &str, extent: Extent) -> Option<()> {
        let declared = &self.declared.dimensions[dimension.0 as usize];
        let names = || declared.segments.iter().map(|segment| segment.name.text());
        if name.is_empty() || names().any(|known| known == name) {
            return Some(());
        }
        let title = format!("dimension `{}` has no segment `{name}`", declared.name.text());
        let help = match nearest(name, names()) {
            _ if name == "none" => "none is written `\"\"`".to_string(),
            Some(near) => format!("did you mean `\"{near}\"`?"),
            None => format!("its segments are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let place = declared.name.whole();
        let fault = Fault::new(Code::UnknownSegment, extent, title).label("no such segment").help(help);
        self.report(fault.within(self.excerpt).related(place, "the dimension"));
        None
    }

    /// `left in [literals]`.
    pub(super) fn is_in(&mut self, expr: &Expr, left: &Expr, right: &Expr) -> Option<Condition> {
        let value = self.value(left);
        let Node::List(parts) = &right.node else {
            return self.refuse(
                Fault::new(Code::WrongType, right.extent, "`in` without a list")
                    .label("expected a list of literals")
                    .help("write `x in [1, 2]` or `x in [\"a\", \"b\"]`"),
            );
        };
        let literals = self.literals(right.extent, parts);
        match (value?, literals?) {
            (Value::Linear(form), Literals::Forms(values)) => self.form_in(expr, form, values, right.extent),
            (Value::Attribute(attribute), Literals::Forms(values)) => {
                if let Some(first) = values.first() {
                    self.attribute_beside(attribute, first, left.extent)?;
                }
                let form = self.attribute_number(attribute);
                self.form_in(expr, form, values, right.extent)
            }
            (Value::Attribute(attribute), Literals::Texts(values)) => {
                let left = TextOperand::Profile(attribute);
                Some(self.test(expr, Test::TextIn { left, values: values.into_iter().map(|(text, _)| text).collect() }))
            }
            (Value::Attribute(attribute), Literals::Flags(values)) => {
                let test = |expected: &bool| self.test(expr, Test::Flag { attribute, expected: *expected });
                let mut tests: Vec<_> = values.iter().map(test).collect();
                Some(if tests.len() == 1 { tests.remove(0) } else { Condition::Any(tests) })
            }
            (Value::Text(operand), Literals::Texts(values)) => self.text_in(expr, operand, values),
            (value, literals) => {
                let (what, found) = (value.what(), literals.what());
                self.refuse(
                    Fault::new(Code::WrongType, right.extent, format!("{what} searched among {found}"))
                        .label(format!("expected {what} in each place")),
                )
            }
        }
    }

    fn form_in(&mut self, expr: &Expr, form: Form, values: Vec<Form>, list: Extent) -> Option<Condition> {
        let unit = form.unit;
        if let Some(other) = values.iter().find(|value| value.unit != unit) {
            let title = format!("{} searched among values of another type", unit_name(unit));
            let label = format!("{} stands here", unit_name(other.unit));
            return self.refuse(Fault::new(Code::WrongType, list, title).label(label));
        }
        let forms: Vec<&Form> = [&form].into_iter().chain(&values).collect();
        let (mut linears, scale) = self.fits(expr.extent, on_one_scale(&forms))?;
        let left = linears.remove(0);
        let values = linears.into_iter().map(|linear| linear.constant).collect();
        let test = Test::LinearIn { left, values, unit, scale };
        Some(self.test(expr, test))
    }

    fn text_in(&mut self, expr: &Expr, left: TextOperand, values: Vec<(Box<str>, Extent)>) -> Option<Condition> {
        if let TextOperand::Segment(dimension) = left {
            let known: Vec<_> =
                values.iter().map(|(name, extent)| self.known_segment(dimension, name, *extent)).collect();
            known.into_iter().collect::<Option<()>>()?;
        }
        Some(self.test(expr, Test::TextIn { left, values: values.into_iter().map(|(text, _)| text).collect() }))
    }

    /// Literals of one type.
    fn literals(&mut self, list: Extent, parts: &[Expr]) -> Option<Literals> {
        let values: Vec<_> = parts.iter().map(|part| (part.extent, self.literal(part))).collect();
        let mut literals: Option<Literals> = None;
        for (extent, value) in values {
            let value = value?;
            let literals = literals.get_or_insert_with(|| Literals::like(&value));
            let what = value.what();
            if !literals.push(value, extent) {
                let title = format!("{what} among {}", literals.what());
                return self
                    .refuse(Fault::new(Code::WrongType, extent, title).help("the literals of a list are of one type"));
            }
        }
        if literals.is_none() {
            return self.refuse(
                Fault::new(Code::WrongArguments, list, "`in` with an empty list").help("name at least one value"),
            );
        }
        literals
    }

    fn literal(&mut self, expr: &Expr) -> Option<Value> {
        match self.value(expr)? {
            Value::Linear(form) if !form.is_literal() => self.not_a_literal(expr, "a feature"),
            value @ (Value::Linear(_) | Value::Flag(_) | Value::Text(TextOperand::Literal(_))) => Some(value),
            other => self.not_a_literal(expr, other.what()),
        }
    }

    fn not_a_literal<T>(&mut self, expr: &Expr, what: &str) -> Option<T> {
        self.refuse(
            Fault::new(Code::WrongType, expr.extent, format!("{what} in a list"))
                .label("expected a literal")
                .help("compare features with `==`"),
        )
    }
}

/// Whether an equality is negated; none for relations that order.
pub(super) fn negation(relation: Relation) -> Option<bool> {
    match relation {
        Relation::Equal => Some(false),
        Relation::NotEqual => Some(true),
        _ => None,
    }
}

/// The literals of a list.
enum Literals {
    Forms(Vec<Form>),
    Texts(Vec<(Box<str>, Extent)>),
    Flags(Vec<bool>),
}

impl Literals {
    fn like(value: &Value) -> Literals {
        match value {
            Value::Linear(_) => Literals::Forms(Vec::new()),
            Value::Text(_) | Value::Attribute(_) => Literals::Texts(Vec::new()),
            Value::Flag(_) | Value::Condition(_) => Literals::Flags(Vec::new()),
        }
    }

    /// False when it is of another type.
    fn push(&mut self, value: Value, extent: Extent) -> bool {
        match (self, value) {
            (Literals::Forms(forms), Value::Linear(form)) if forms.iter().all(|known| known.unit == form.unit) => {
                forms.push(form);
            }
            (Literals::Texts(texts), Value::Text(TextOperand::Literal(text))) => texts.push((text, extent)),
            (Literals::Flags(flags), Value::Flag(flag)) => flags.push(flag),
            _ => return false,
        }
        true
    }

    fn what(&self) -> &'static str {
        match self {
            Literals::Forms(forms) if forms.first().is_some_and(|form| form.unit == Unit::Duration) => "durations",
            Literals::Forms(_) => "numbers",
            Literals::Texts(_) => "strings",
            Literals::Flags(_) => "truths",
        }
    }
}

/// The source text of a comparison without parentheses around it.
fn bare<'a>(source: &'a str, expr: &Expr) -> &'a str {
    let extent = match &expr.node {
        Node::Compare { left, right, .. } | Node::In { left, right } => left.extent.to(right.extent),
        _ => expr.extent,
    };
    let mut text = &source[extent.start..extent.end];
    // No test of one attribute begins with a parenthesis of its own.
    while let (Node::Member { .. } | Node::Call { .. }, Some(inner)) = (&expr.node, text.strip_prefix('(')) {
        text = inner.strip_suffix(')').unwrap_or(inner).trim();
    }
    text
}

/// The source text of a comparison on one line: blanks outside of strings are one space, comments are gone.
fn normalised(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source.chars().peekable();
    let mut quote = None;
    let mut blank = false;
    while let Some(c) = rest.next() {
        match quote {
            Some(_) if c == '\\' => {
                text.push(c);
                text.extend(rest.next());
            }
            Some(open) => {
                text.push(c);
                quote = (c != open).then_some(open);
            }
            None if c.is_ascii_whitespace() => blank = true,
            None if c == '/' && rest.peek() == Some(&'/') => {
                while rest.next_if(|c| *c != '\n').is_some() {}
                blank = true;
            }
            None => {
                if blank && !text.is_empty() {
                    text.push(' ');
                }
                blank = false;
                quote = matches!(c, '"' | '\'').then_some(c);
                text.push(c);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_comparison_is_shown_on_one_line() {
        let source = "purchase.count(\n  \"3  0d\" // why\n)\t >=  4";
        assert_eq!(super::normalised(source), "purchase.count( \"3  0d\" ) >= 4");
        assert_eq!(super::normalised(r#"a == "\"  // b""#), r#"a == "\"  // b""#);
    }
}
