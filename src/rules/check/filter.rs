//! Filters: conditions on one event's fields, inside `where(…)`. A field that the kind does not have is absent, so
//! a test of it is false (and a warning); decoders are never asked for it.

use super::Checker;
use super::compare::negation;
use super::form::Exact;
use super::lint::turned;
use crate::event::{Amount, AmountSource, Builtin, KindId, TextField};
use crate::rules::ast::{Expr, Node, Word};
use crate::rules::diagnostic::{Code, Fault, nearest};
use crate::rules::place::Extent;
use crate::rules::plan::{FieldTest, Filter, NumberSource, Relation, TextSource, TextTest};

/// Every field by name, but for `attributes.X`.
const FIELDS: [(&str, Field); 17] = [
    ("product", Field::Text(TextSource::Field(TextField::Product))),
    ("category", Field::Text(TextSource::Field(TextField::Category))),
    ("brand", Field::Text(TextSource::Field(TextField::Brand))),
    ("channel", Field::Text(TextSource::Field(TextField::Channel))),
    ("country", Field::Text(TextSource::Field(TextField::Country))),
    ("device", Field::Text(TextSource::Field(TextField::Device))),
    ("coupon", Field::Text(TextSource::Field(TextField::Coupon))),
    ("query", Field::Text(TextSource::Field(TextField::Query))),
    ("date", Field::Text(TextSource::Date)),
    ("rating", Field::Number(NumberSource::Rating)),
    ("quantity", Field::Number(NumberSource::Quantity)),
    ("amount", Field::Number(NumberSource::Amount)),
    ("order_amount", Field::Number(NumberSource::OrderAmount)),
    ("discount", Field::Number(NumberSource::Discount)),
    ("month", Field::Number(NumberSource::Month)),
    ("weekday", Field::Number(NumberSource::Weekday)),
    ("hour", Field::Number(NumberSource::Hour)),
];

/// What a text field can be asked, and the test that it makes of a string.
type Method = (&'static str, fn(Box<str>) -> TextTest);

const METHODS: [Method; 3] =
    [("contains", TextTest::Contains), ("startsWith", TextTest::StartsWith), ("endsWith", TextTest::EndsWith)];

/// A field of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    Text(TextSource),
    Number(NumberSource),
    /// What stands beside it says what it is.
    Attribute(crate::event::AttributeId),
}

/// A field where it is used.
#[derive(Debug, Clone)]
struct Used {
    field: Field,
    name: Box<str>,
    extent: Extent,
}

#[derive(Debug, Clone)]
enum Literal {
    Number(Exact),
    Text(Box<str>),
    Flag(bool),
}

impl Literal {
    fn what(&self) -> &'static str {
        match self {
            Literal::Number(_) => "a number",
            Literal::Text(_) => "a string",
            Literal::Flag(_) => "true or false",
        }
    }
}

enum Side {
    Field(Used),
    Literal(Literal),
}

/// The text field that a rule means by `name`.
pub(super) fn text_field(name: &str) -> Option<TextField> {
    TextField::ALL.into_iter().find(|field| field.name() == name)
}

impl Checker<'_> {
    /// A condition on the events of a kind.
    pub(super) fn filter(&mut self, kind: KindId, expr: &Expr) -> Option<Filter> {
        let filter = self.unlinted_filter(kind, expr)?;
        self.lint_filter(expr, &filter);
        Some(filter)
    }

    fn unlinted_filter(&mut self, kind: KindId, expr: &Expr) -> Option<Filter> {
        match &expr.node {
            Node::Flag(flag) => Some(Filter::Constant(*flag)),
            Node::Not(inner) => Some(Filter::Not(Box::new(self.filter(kind, inner)?))),
            Node::All(parts) => Some(Filter::All(self.filters(kind, parts)?)),
            Node::Any(parts) => Some(Filter::Any(self.filters(kind, parts)?)),
            Node::Compare { left, relation, right } => self.field_compare(kind, expr, left, *relation, right),
            Node::In { left, right } => self.field_in(kind, left, right),
            Node::Call { of: Some(of), name, arguments } => self.field_method(kind, of, name, arguments),
            _ => match self.side(expr)? {
                Side::Field(Used { field: Field::Attribute(attribute), name, extent }) => {
                    let used = Used { field: Field::Attribute(attribute), name, extent };
                    Some(self.tested(kind, &used, FieldTest::Flag { attribute, expected: true }))
                }
                Side::Field(used) => self.refuse(
                    Fault::new(Code::NotACondition, expr.extent, format!("`{}` where a condition belongs", used.name))
                        .help(format!("compare it with a literal: `{} == …`", used.name)),
                ),
                Side::Literal(literal) => self.refuse(
                    Fault::new(
                        Code::NotACondition,
                        expr.extent,
                        format!("{} where a condition belongs", literal.what()),
                    )
                    .help("compare a field with it"),
                ),
            },
        }
    }

    fn filters(&mut self, kind: KindId, parts: &[Expr]) -> Option<Vec<Filter>> {
        let checked: Vec<_> = parts.iter().map(|part| self.filter(kind, part)).collect();
        checked.into_iter().collect()
    }

    /// A test of a field; false where the kind does not have it.
    fn tested(&mut self, kind: KindId, used: &Used, test: FieldTest) -> Filter {
        if !self.kind_has(kind, &used.name) {
            self.warn_missing_field(kind, &used.name, used.extent);
            return Filter::Constant(false);
        }
        let reads = &mut self.catalog.reads[kind.0 as usize];
        match used.field {
            Field::Text(TextSource::Field(field)) => reads.texts[field as usize] = true,
            Field::Attribute(_) => reads.attributes = true,
            Field::Text(_) | Field::Number(_) => {}
        }
        Filter::Test(test)
    }

    /// Whether events of a kind can have a field (CONTRACT, "Events in"). Attributes are named `attributes.X`.
    pub(super) fn kind_has(&self, kind: KindId, field: &str) -> bool {
        let declared = &self.declared.kinds[kind.0 as usize];
        let kind = declared.builtin;
        match field {
            "product" | "category" | "brand" => {
                matches!(kind, Builtin::Purchase | Builtin::Refund | Builtin::Browse | Builtin::Custom)
            }
            "query" => matches!(kind, Builtin::Search | Builtin::Custom),
            "rating" => matches!(kind, Builtin::Feedback | Builtin::Custom) || declared.amount == AmountSource::Rating,
            "quantity" => matches!(kind, Builtin::Purchase | Builtin::Refund),
            "amount" => declared.amount != AmountSource::None || matches!(kind, Builtin::Purchase | Builtin::Refund),
            "order_amount" => declared.amount != AmountSource::None,
            name if name.starts_with("attributes.") => kind != Builtin::Profile,
            _ => true,
        }
    }

    pub(super) fn warn_missing_field(&mut self, kind: KindId, field: &str, extent: Extent) {
        let kind = &self.declared.kinds[kind.0 as usize].name;
        let fault = Fault::new(Code::FieldNotOfKind, extent, format!("`{kind}` events have no `{field}`"))
            .label("always absent, so a test of it is false")
            .help("leave it out, or ask another kind");
        self.report(fault.within(self.excerpt));
    }

    fn side(&mut self, expr: &Expr) -> Option<Side> {
        match &expr.node {
            Node::Name(name) => match FIELDS.iter().find(|(known, _)| known == &&**name) {
                Some((_, field)) => Some(Side::Field(Used { field: *field, name: name.clone(), extent: expr.extent })),
                None => self.unknown_field(name, expr.extent),
            },
            Node::Member { name, .. } if expr.member_of("attributes").is_some() => {
                let field = Field::Attribute(self.catalog.attribute(&name.text));
                let name = format!("attributes.{}", name.text).into();
                Some(Side::Field(Used { field, name, extent: expr.extent }))
            }
            Node::Text(text) => Some(Side::Literal(Literal::Text(text.clone()))),
            Node::Flag(flag) => Some(Side::Literal(Literal::Flag(*flag))),
            Node::Number(_) | Node::Negate(_) | Node::Sum(_) | Node::Product(_) => {
                Some(Side::Literal(Literal::Number(self.literal_number(expr)?)))
            }
            Node::Member { .. } | Node::Call { .. } => self.not_of_an_event(expr),
            _ => self.refuse(
                Fault::new(Code::WrongType, expr.extent, "neither a field nor a literal")
                    .help("a filter compares one field with literals"),
            ),
        }
    }

    fn not_of_an_event<T>(&mut self, expr: &Expr) -> Option<T> {
        let mut fault = Fault::new(Code::UnknownField, expr.extent, "a filter sees only fields of the event");
        if let Some(name) = expr.member_of("profile") {
            fault = fault.help(format!("compare `profile.{}` outside of `where(…)`", name.text));
        } else {
            fault = fault.help("move it out of `where(…)`, and join the two with `&&`");
        }
        self.refuse(fault)
    }

    fn unknown_field<T>(&mut self, name: &str, extent: Extent) -> Option<T> {
        let names = || FIELDS.iter().map(|(name, _)| *name);
        let fault =
            Fault::new(Code::UnknownField, extent, format!("events have no field `{name}`")).label("unknown field");
        self.refuse(match nearest(name, names()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help(format!(
                "one of your own is `attributes.{name}`; fields are {}",
                names().collect::<Vec<_>>().join(", ")
            )),
        })
    }

    /// Arithmetic of literals.
    fn literal_number(&mut self, expr: &Expr) -> Option<Exact> {
        match &expr.node {
            Node::Number(amount) => Some(Exact::of(*amount)),
            Node::Negate(inner) => Some(self.literal_number(inner)?.negated()),
            Node::Sum(terms) => {
                let mut total = Exact::integer(0);
                for (minus, term) in terms {
                    let value = self.literal_number(term)?;
                    total = self.fits(term.extent, total.plus(if *minus { value.negated() } else { value }))?;
                }
                Some(total)
            }
            Node::Product(factors) => {
                let mut product = Exact::integer(1);
                for factor in factors {
                    let value = self.literal_number(factor)?;
                    product = self.fits(factor.extent, product.times(value))?;
                }
                Some(product)
            }
            _ => self.refuse(
                Fault::new(Code::FieldWithField, expr.extent, "arithmetic with something other than numbers")
                    .label("expected a number")
                    .help("in a filter, only literals are calculated with"),
            ),
        }
    }

    /// A number that events can have: at most four decimals.
    fn amount(&mut self, value: Exact, extent: Extent) -> Option<Amount> {
        match value.amount() {
            Some(amount) => Some(amount),
            None => self.refuse(
                Fault::new(Code::BadNumber, extent, "a number that no field can have")
                    .help("numbers have at most four decimals, and are at most 900000000000000"),
            ),
        }
    }

    fn field_compare(
        &mut self,
        kind: KindId,
        expr: &Expr,
        left: &Expr,
        relation: Relation,
        right: &Expr,
    ) -> Option<Filter> {
        let (l, r) = (self.side(left), self.side(right));
        match (l?, r?) {
            (Side::Field(used), Side::Literal(literal)) => {
                self.compare_field(kind, used, relation, literal, right.extent)
            }
            (Side::Literal(literal), Side::Field(used)) => {
                self.compare_field(kind, used, turned(relation), literal, left.extent)
            }
            (Side::Field(_), Side::Field(_)) => self.refuse(
                Fault::new(Code::FieldWithField, expr.extent, "a field compared with a field")
                    .help("a filter compares fields with literals"),
            ),
            (Side::Literal(_), Side::Literal(_)) => self.refuse(
                Fault::new(Code::FieldWithField, expr.extent, "a literal compared with a literal")
                    .help("a filter compares fields with literals"),
            ),
        }
    }

    fn compare_field(
        &mut self,
        kind: KindId,
        used: Used,
        relation: Relation,
        literal: Literal,
        at: Extent,
    ) -> Option<Filter> {
        match (used.field, literal) {
            (Field::Text(field), Literal::Text(text)) => self.compare_text(kind, &used, field, relation, text, at),
            (Field::Attribute(attribute), Literal::Text(text)) => {
                self.compare_text(kind, &used, TextSource::Attribute(attribute), relation, text, at)
            }
            (Field::Number(field), Literal::Number(value)) => {
                let value = self.amount(value, at)?;
                Some(self.tested(kind, &used, FieldTest::Number { field, relation, value }))
            }
            (Field::Attribute(attribute), Literal::Number(value)) => {
                let (field, value) = (NumberSource::Attribute(attribute), self.amount(value, at)?);
                Some(self.tested(kind, &used, FieldTest::Number { field, relation, value }))
            }
            (Field::Attribute(attribute), Literal::Flag(flag)) => {
                let Some(negated) = negation(relation) else {
                    return self.refuse(
                        Fault::new(Code::WrongType, at, format!("`{relation}` between truths"))
                            .help("true and false are compared with `==` or `!=`"),
                    );
                };
                Some(self.tested(kind, &used, FieldTest::Flag { attribute, expected: flag != negated }))
            }
            (_, literal) => self.wrong_literal(&used, &literal, at),
        }
    }

    fn wrong_literal<T>(&mut self, used: &Used, literal: &Literal, at: Extent) -> Option<T> {
        let expected = match used.field {
            Field::Text(_) => "a string",
            Field::Number(_) => "a number",
            Field::Attribute(_) => "a literal",
        };
        let title = format!("`{}` is {expected}, not {}", used.name, literal.what());
        self.refuse(Fault::new(Code::WrongType, at, title).label(format!("expected {expected}")))
    }

    fn compare_text(
        &mut self,
        kind: KindId,
        used: &Used,
        field: TextSource,
        relation: Relation,
        text: Box<str>,
        at: Extent,
    ) -> Option<Filter> {
        if field != TextSource::Date && negation(relation).is_none() {
            return self.refuse(
                Fault::new(Code::OrderOfTexts, at, format!("`{relation}` between strings"))
                    .label("strings have no order here")
                    .help("only `date` can be compared with `<`; use `==`, `!=` or `in`"),
            );
        }
        let test = TextTest::Is(relation, self.lowered(field, text, at));
        Some(self.tested(kind, used, FieldTest::Text { field, test }))
    }

    /// What a field is compared with: for `query` in lower case, as events hand it over.
    fn lowered(&mut self, field: TextSource, text: Box<str>, at: Extent) -> Box<str> {
        match field {
            TextSource::Field(TextField::Query) => text.to_lowercase().into(),
            TextSource::Date => {
                self.lint_date(&text, at);
                text
            }
            _ => text,
        }
    }

    fn field_in(&mut self, kind: KindId, left: &Expr, right: &Expr) -> Option<Filter> {
        let side = self.side(left);
        let Node::List(parts) = &right.node else {
            return self.refuse(
                Fault::new(Code::WrongType, right.extent, "`in` without a list")
                    .label("expected a list of literals")
                    .help("write `country in [\"DE\", \"AT\"]`; a part of a text is `query.contains(\"…\")`"),
            );
        };
        let literals: Vec<_> = parts.iter().map(|part| (part.extent, self.listed(part))).collect();
        let literals: Vec<_> =
            literals.into_iter().map(|(extent, literal)| Some((extent, literal?))).collect::<Option<_>>()?;
        let used = match side? {
            Side::Field(used) => used,
            Side::Literal(_) => {
                return self.refuse(
                    Fault::new(Code::WrongType, left.extent, "a literal searched in a list")
                        .label("expected a field")
                        .help("write `country in [\"DE\", \"AT\"]`"),
                );
            }
        };
        let Some((_, first)) = literals.first() else {
            return self.refuse(
                Fault::new(Code::WrongArguments, right.extent, "`in` with an empty list")
                    .help("name at least one value"),
            );
        };
        match (used.field, first) {
            (Field::Text(field), _) => self.text_in_list(kind, &used, field, literals),
            (Field::Number(field), _) => self.number_in_list(kind, &used, field, literals),
            (Field::Attribute(attribute), Literal::Text(_)) => {
                self.text_in_list(kind, &used, TextSource::Attribute(attribute), literals)
            }
            (Field::Attribute(attribute), Literal::Number(_)) => {
                self.number_in_list(kind, &used, NumberSource::Attribute(attribute), literals)
            }
            (Field::Attribute(_), Literal::Flag(_)) => self.flag_in_list(kind, &used, literals),
        }
    }

    fn listed(&mut self, part: &Expr) -> Option<Literal> {
        match self.side(part)? {
            Side::Literal(literal) => Some(literal),
            Side::Field(used) => self.refuse(
                Fault::new(Code::FieldWithField, part.extent, format!("the field `{}` in a list", used.name))
                    .label("expected a literal"),
            ),
        }
    }

    fn text_in_list(
        &mut self,
        kind: KindId,
        used: &Used,
        field: TextSource,
        literals: Vec<(Extent, Literal)>,
    ) -> Option<Filter> {
        let mut values = Vec::with_capacity(literals.len());
        for (extent, literal) in literals {
            match literal {
                Literal::Text(text) => values.push(self.lowered(field, text, extent)),
                other => return self.mixed_list(used, "strings", &other, extent),
            }
        }
        Some(self.tested(kind, used, FieldTest::Text { field, test: TextTest::In(values) }))
    }

    fn number_in_list(
        &mut self,
        kind: KindId,
        used: &Used,
        field: NumberSource,
        literals: Vec<(Extent, Literal)>,
    ) -> Option<Filter> {
        let mut values = Vec::with_capacity(literals.len());
        for (extent, literal) in literals {
            match literal {
                Literal::Number(value) => {
                    let value = self.amount(value, extent)?;
                    values.push(value);
                }
                other => return self.mixed_list(used, "numbers", &other, extent),
            }
        }
        Some(self.tested(kind, used, FieldTest::NumberIn { field, values }))
    }

    fn flag_in_list(&mut self, kind: KindId, used: &Used, literals: Vec<(Extent, Literal)>) -> Option<Filter> {
        let Field::Attribute(attribute) = used.field else { return None };
        let mut tests = Vec::with_capacity(literals.len());
        for (extent, literal) in literals {
            match literal {
                Literal::Flag(expected) => tests.push(self.tested(kind, used, FieldTest::Flag { attribute, expected })),
                other => return self.mixed_list(used, "truths", &other, extent),
            }
        }
        Some(if tests.len() == 1 { tests.remove(0) } else { Filter::Any(tests) })
    }

    fn mixed_list<T>(&mut self, used: &Used, expected: &str, found: &Literal, extent: Extent) -> Option<T> {
        let title = format!("{} in a list that `{}` is searched in", found.what(), used.name);
        self.refuse(
            Fault::new(Code::WrongType, extent, title)
                .label(format!("expected {expected}"))
                .help("the literals of a list are of one type, the field's"),
        )
    }

    /// `field.contains("x")` and the like.
    fn field_method(&mut self, kind: KindId, of: &Expr, name: &Word, arguments: &[Expr]) -> Option<Filter> {
        let side = self.side(of);
        let Some((_, test)) = METHODS.iter().find(|(known, _)| *known == &*name.text) else {
            let fault = Fault::new(Code::UnknownFeature, name.extent, format!("a field has no `{}`", name.text));
            return self.refuse(match nearest(&name.text, METHODS.map(|(name, _)| name)) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("a text can be asked contains, startsWith and endsWith"),
            });
        };
        let [Expr { node: Node::Text(text), extent }] = arguments else {
            return self.refuse(
                Fault::new(Code::WrongArguments, name.extent, format!("`{}` takes one string", name.text))
                    .help(format!("write `{}(\"…\")`", name.text)),
            );
        };
        let (used, field) = match side? {
            Side::Field(used) => match used.field {
                Field::Text(field) => (used, field),
                Field::Attribute(attribute) => (used, TextSource::Attribute(attribute)),
                Field::Number(_) => {
                    let title = format!("`{}` of `{}`, which is a number", name.text, used.name);
                    return self.refuse(Fault::new(Code::WrongType, of.extent, title).label("expected a text field"));
                }
            },
            Side::Literal(_) => {
                return self.refuse(
                    Fault::new(Code::WrongType, of.extent, format!("`{}` of a literal", name.text))
                        .label("expected a text field"),
                );
            }
        };
        let text = match field {
            TextSource::Date => text.clone(),
            _ => self.lowered(field, text.clone(), *extent),
        };
        Some(self.tested(kind, &used, FieldTest::Text { field, test: test(text) }))
    }
}
