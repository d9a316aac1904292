//! What a filter lets through, as words behind a noun: `in garden with a coupon`, `for “hose” at the weekend`.

use super::noun::field;
use super::{Words, season, text};
use crate::event::{Amount, AmountSource, Builtin, KindId, TextField};
use crate::rules::calendar;
use crate::rules::plan::{FieldTest, Filter, NumberSource, Relation, TextSource, TextTest};

impl Words<'_> {
    /// Events of a kind that pass; empty when all do.
    pub(super) fn modifier(&self, kind: KindId, filter: &Filter) -> String {
        match filter {
            Filter::Constant(true) => String::new(),
            Filter::Constant(false) => "of an impossible sort".to_owned(),
            Filter::Test(test) => self.test(kind, test, false),
            Filter::Not(inner) => match &**inner {
                Filter::Constant(holds) => self.modifier(kind, &Filter::Constant(!holds)),
                Filter::Test(test) => self.test(kind, test, true),
                Filter::Not(inner) => self.modifier(kind, inner),
                Filter::Any(parts) => format!("{OTHER_THAN}{}", text::list(&self.within(kind, parts, false), "or")),
                Filter::All(parts) => format!("{OTHER_THAN}{}", both(&self.within(kind, parts, true))),
            },
            Filter::All(parts) => {
                let is_simple = |part: &Filter| !matches!(part, Filter::Any(_) | Filter::All(_));
                match parts.iter().all(is_simple) {
                    true => self.within(kind, parts, true).join(" "),
                    false => text::list(&self.within(kind, parts, true), "and"),
                }
            }
            Filter::Any(parts) => text::list(&without_repeating(self.within(kind, parts, false)), "or"),
        }
    }

    /// Parts of a whole, of which all or any must pass, so that it stays clear what belongs together.
    fn within(&self, kind: KindId, parts: &[Filter], is_all: bool) -> Vec<String> {
        let mut phrases = Vec::new();
        for part in parts.iter().filter(|part| calendar_field(part).is_none()) {
            let phrase = match part {
                Filter::Any(parts) => either(&self.within(kind, parts, false)),
                Filter::All(parts) => both(&self.within(kind, parts, true)),
                _ => self.modifier(kind, part),
            };
            phrases.push(if phrase.is_empty() { "of any sort".to_owned() } else { phrase });
        }
        phrases.extend(seasons(parts, is_all));
        phrases
    }

    fn test(&self, kind: KindId, test: &FieldTest, is_negated: bool) -> String {
        match test {
            FieldTest::Text { field, test } => self.text_test(*field, test, is_negated),
            FieldTest::Number { field, .. } | FieldTest::NumberIn { field, .. } if season::is_of_calendar(*field) => {
                let passes = |at| number_passes(test, at) != is_negated;
                season::phrase(*field, passes).unwrap_or_default()
            }
            FieldTest::Number { field, relation, value } => {
                // A discount, a quantity: that there is one at all.
                if *relation == Relation::Greater && *value == Amount::ZERO {
                    return with(is_negated, &self.number_name(kind, *field), "").trim_end().to_owned();
                }
                let shown = format!("of {}{}", text::relation(*relation), self.field_value(kind, *field, *value));
                self.with_number(kind, *field, &shown, is_negated)
            }
            FieldTest::NumberIn { field, values } => {
                let values: Vec<String> = values.iter().map(|value| self.field_value(kind, *field, *value)).collect();
                self.with_number(kind, *field, &format!("of {}", text::list(&values, "or")), is_negated)
            }
            FieldTest::Flag { attribute, expected } => {
                let name = self.attribute(*attribute);
                with(is_negated, &name, &format!("set to {expected}"))
            }
        }
    }

    /// Of ratings only the value is said: they are called by it.
    fn with_number(&self, kind: KindId, field: NumberSource, value: &str, is_negated: bool) -> String {
        let is_feedback = self.plan.schema.kinds[usize::from(kind.0)].builtin == Builtin::Feedback;
        let is_rating = match field {
            NumberSource::Rating => true,
            NumberSource::Amount => *self.amount_source(kind) == AmountSource::Rating,
            _ => false,
        };
        match (is_feedback && is_rating, is_negated) {
            (true, true) => format!("{OTHER_THAN}{value}"),
            (true, false) => value.to_owned(),
            (false, _) => with(is_negated, &self.number_name(kind, field), value),
        }
    }

    /// With its article, for those that are not the shop's own names.
    fn number_name(&self, kind: KindId, field: NumberSource) -> String {
        let name = match field {
            NumberSource::Amount => match self.amount_source(kind) {
                AmountSource::Rating => "a rating",
                AmountSource::Field(name) => return text::spaced(name),
                AmountSource::Amount | AmountSource::None => "an amount",
            },
            NumberSource::OrderAmount => "an order amount",
            NumberSource::Rating => "a rating",
            NumberSource::Quantity => "a quantity",
            NumberSource::Discount => "a discount",
            NumberSource::Attribute(attribute) => return self.attribute(attribute),
            NumberSource::Month => "a month",
            NumberSource::Weekday => "a weekday",
            NumberSource::Hour => "an hour",
        };
        name.to_owned()
    }

    fn field_value(&self, kind: KindId, field: NumberSource, value: Amount) -> String {
        let is_money = match field {
            NumberSource::Amount | NumberSource::OrderAmount => *self.amount_source(kind) == AmountSource::Amount,
            NumberSource::Discount => true,
            _ => false,
        };
        if is_money { self.money(value) } else { text::number(value) }
    }

    fn text_test(&self, source: TextSource, test: &TextTest, is_negated: bool) -> String {
        let name = match source {
            TextSource::Date => return date_test(test, is_negated),
            TextSource::Field(source) => format!("{} {}", text::article(field(source).0), field(source).0),
            TextSource::Attribute(attribute) => self.attribute(attribute),
        };
        let is_query = source == TextSource::Field(TextField::Query);
        let not = if is_negated { "not " } else { "" };
        match test {
            TextTest::Is(Relation::Equal, empty) if empty.is_empty() => with(is_negated, &name, "left empty"),
            TextTest::Is(Relation::NotEqual, empty) if empty.is_empty() => {
                with(is_negated, &name, "").trim_end().into()
            }
            TextTest::Is(Relation::NotEqual, text) => {
                with(is_negated, &name, &format!("other than {}", text::name(text)))
            }
            TextTest::Is(_, text) => is_one_of(source, &name, std::slice::from_ref(text), is_negated),
            TextTest::In(texts) => is_one_of(source, &name, texts, is_negated),
            TextTest::Contains(part) if is_query => format!("{not}containing {}", text::quoted(part)),
            TextTest::StartsWith(part) if is_query => format!("{not}beginning with {}", text::quoted(part)),
            TextTest::EndsWith(part) if is_query => format!("{not}ending in {}", text::quoted(part)),
            TextTest::Contains(part) => with(is_negated, &name, &format!("containing {}", text::quoted(part))),
            TextTest::StartsWith(part) => with(is_negated, &name, &format!("beginning with {}", text::quoted(part))),
            TextTest::EndsWith(part) => with(is_negated, &name, &format!("ending in {}", text::quoted(part))),
        }
    }
}

const OTHER_THAN: &str = "other than ";

/// `with a discount of …`, `without a discount of …`.
fn with(is_negated: bool, name: &str, rest: &str) -> String {
    format!("{} {name} {rest}", if is_negated { "without" } else { "with" })
}

/// The field of a test of the calendar, also behind `!`.
fn calendar_field(filter: &Filter) -> Option<NumberSource> {
    match filter {
        Filter::Not(inner) => calendar_field(inner),
        Filter::Test(FieldTest::Number { field, .. } | FieldTest::NumberIn { field, .. }) => {
            season::is_of_calendar(*field).then_some(*field)
        }
        _ => None,
    }
}

/// Whether a test of the calendar lets a value through.
fn passes(filter: &Filter, at: Amount) -> bool {
    match filter {
        Filter::Not(inner) => !passes(inner, at),
        Filter::Test(test) => number_passes(test, at),
        _ => true,
    }
}

/// Tests of one calendar field together: `hour >= 9 && hour < 17` is one stretch.
fn seasons(parts: &[Filter], is_all: bool) -> Vec<String> {
    let mut fields: Vec<NumberSource> = Vec::new();
    for field in parts.iter().filter_map(calendar_field) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let phrase = |field: &NumberSource| {
        let tests = || parts.iter().filter(|part| calendar_field(part) == Some(*field));
        season::phrase(*field, |at| match is_all {
            true => tests().all(|test| passes(test, at)),
            false => tests().any(|test| passes(test, at)),
        })
    };
    fields.iter().filter_map(phrase).collect()
}

fn number_passes(test: &FieldTest, at: Amount) -> bool {
    match test {
        FieldTest::Number { relation, value, .. } => relation.holds(at.cmp(value)),
        FieldTest::NumberIn { values, .. } => values.contains(&at),
        _ => true,
    }
}

fn either(parts: &[String]) -> String {
    match parts {
        [one] => one.clone(),
        _ => format!("either {}", text::list(&without_repeating(parts.to_vec()), "or")),
    }
}

/// `containing “a”, “b”` for `containing “a”`, `containing “b”`.
fn without_repeating(mut phrases: Vec<String>) -> Vec<String> {
    let Some(word) = ["containing ", "with "].into_iter().find(|word| phrases.iter().all(|one| one.starts_with(word)))
    else {
        return phrases;
    };
    phrases.iter_mut().skip(1).for_each(|phrase| drop(phrase.drain(..word.len())));
    phrases
}

/// Two with `both`, more `at once`.
fn both(parts: &[String]) -> String {
    match parts {
        [one] => one.clone(),
        [_, _] => format!("both {}", text::list(parts, "and")),
        _ => format!("at once {}", text::list(parts, "and")),
    }
}

/// How a field's value is said: `in garden`, `of Acme`, `for “hose”`.
fn is_one_of(source: TextSource, name: &str, values: &[Box<str>], is_negated: bool) -> String {
    let shown = |show: fn(&str) -> String| values.iter().map(|value| show(value)).collect::<Vec<_>>();
    let listed = text::list(&shown(text::name), "or");
    let phrase = match source {
        TextSource::Field(TextField::Category) if is_negated => return format!("outside {listed}"),
        TextSource::Field(TextField::Category) => format!("in {listed}"),
        TextSource::Field(TextField::Brand) => format!("of {listed}"),
        TextSource::Field(TextField::Product) => format!("of product {listed}"),
        TextSource::Field(TextField::Channel) => format!("through {listed}"),
        TextSource::Field(TextField::Country) => format!("from {listed}"),
        TextSource::Field(TextField::Device) => format!("on {listed}"),
        TextSource::Field(TextField::Coupon) => return with(is_negated, "coupon", &listed),
        TextSource::Field(TextField::Query) => format!("for {}", text::list(&shown(text::quoted), "or")),
        TextSource::Attribute(_) | TextSource::Date => return with(is_negated, name, &listed),
    };
    format!("{}{phrase}", if is_negated { OTHER_THAN } else { "" })
}

/// A day of the year; what is no day stands in quotation marks.
fn date_test(test: &TextTest, is_negated: bool) -> String {
    let day = |text: &str| match calendar::month_and_day(text) {
        Some((month, day)) if text.len() == 5 => text::day_and_month(month, day),
        _ => text::quoted(text),
    };
    let phrase = match test {
        TextTest::Is(Relation::Equal, text) => format!("on {}", day(text)),
        TextTest::Is(Relation::NotEqual, text) => format!("on a day other than {}", day(text)),
        TextTest::Is(Relation::Less, text) => format!("before {}", day(text)),
        TextTest::Is(Relation::LessOrEqual, text) => format!("up to {}", day(text)),
        TextTest::Is(Relation::Greater, text) => format!("after {}", day(text)),
        TextTest::Is(Relation::GreaterOrEqual, text) => format!("from {}", day(text)),
        TextTest::In(texts) => {
            let days: Vec<String> = texts.iter().map(|text| day(text)).collect();
            format!("on {}", text::list(&days, "or"))
        }
        TextTest::Contains(part) => format!("on a date containing {}", text::quoted(part)),
        TextTest::StartsWith(part) => format!("on a date beginning with {}", text::quoted(part)),
        TextTest::EndsWith(part) => format!("on a date ending in {}", text::quoted(part)),
    };
    format!("{}{phrase}", if is_negated { OTHER_THAN } else { "" })
}
