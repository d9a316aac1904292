//! `[report]` of the rules file: what `dormouse report` measures segments by. No rule reads it, and it is no part of
//! the rules' version.
//!
//! What always holds: every setting has a default, so a file without the table is reported on all the same.

use toml::de::DeValue;

use super::document::{Reader, Table, Value};
use crate::event::{Amount, Span, TextField};
use crate::rules::diagnostic::{Code, Diagnostic, nearest};
use crate::rules::units::parse_number;

/// How segments are measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Money counts from so long before the end.
    pub value_window: Span,
    /// Growth is against the size so long before the end.
    pub growth_window: Span,
    /// Coming back within it makes a leaving a flap.
    pub flap_window: Span,
    /// The profile attribute (or the events' `country`) that says where a customer is.
    pub region: Box<str>,
    /// What purchases are counted by.
    pub habits: Vec<Habit>,
    /// Profile attributes by any of which a customer can be reached.
    pub contact: Vec<Box<str>>,
    /// Profile attributes of which one must be true to write to a customer.
    pub consent: Vec<Box<str>>,
    pub bounds: Bounds,
    pub weights: Weights,
}

/// What purchases can be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// What was bought, or how.
    Field(TextField),
    /// When it was, in the time zone of the rules: `2011-03`.
    Month,
    /// `Monday`.
    Weekday,
    /// `08`.
    Hour,
}

impl Habit {
    /// Every habit; a query belongs to no purchase.
    fn all() -> impl Iterator<Item = Habit> {
        let fields = TextField::ALL.into_iter().filter(|field| *field != TextField::Query).map(Habit::Field);
        fields.chain([Habit::Month, Habit::Weekday, Habit::Hour])
    }

    /// As it is written in `habits`.
    pub fn name(self) -> &'static str {
        match self {
            Habit::Field(field) => field.name(),
            Habit::Month => "month",
            Habit::Weekday => "weekday",
            Habit::Hour => "hour",
        }
    }

    pub fn field(self) -> Option<TextField> {
        if let Habit::Field(field) = self { Some(field) } else { None }
    }
}

/// Where a segment passes or fails. Shares are in 1/10 000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// For so many customers what the rules read must be known.
    pub known_min: Amount,
    /// So many of a segment's customers must be reachable.
    pub reachable_min: Amount,
    /// At most so many of a segment may leave it in 30 days.
    pub flow_max: Amount,
    /// At most so many of those who left may be back within the flap window.
    pub flap_max: Amount,
    /// Customers.
    pub size_min: u64,
    /// Of all customers.
    pub size_share_min: Amount,
    /// Of all money.
    pub value_share_min: Amount,
}

/// What makes a segment attractive, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    pub size: Amount,
    pub value: Amount,
    pub growth: Amount,
    pub stability: Amount,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            value_window: days(365),
            growth_window: days(90),
            flap_window: days(30),
            region: "country".into(),
            habits: [TextField::Category, TextField::Brand, TextField::Channel].map(Habit::Field).to_vec(),
            contact: Vec::new(),
            consent: Vec::new(),
            bounds: Bounds::default(),
            weights: Weights::default(),
        }
    }
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            known_min: Amount(8_000),
            reachable_min: Amount(5_000),
            flow_max: Amount(5_000),
            flap_max: Amount(1_000),
            size_min: 30,
            size_share_min: Amount(100),
            value_share_min: Amount(100),
        }
    }
}

impl Default for Weights {
    fn default() -> Weights {
        Weights { size: Amount::ONE, value: Amount(20_000), growth: Amount::ONE, stability: Amount::ONE }
    }
}

const fn days(n: i64) -> Span {
    Span(n * Span::DAY.0)
}

/// Names of attributes that are kept for a report; ids have sixteen bits, and nobody has so many ways to reach people.
const NAMES_MAX: usize = 100;

/// Reads `[report]`, if it is there.
pub(super) fn settings(reader: &mut Reader, root: &Table<'_>) -> Settings {
    let mut settings = Settings::default();
    let Some(table) = root.get("report").and_then(|value| reader.table("[report]", "report", value)) else {
        return settings;
    };
    reader.only(
        &table,
        &[
            "value_window",
            "growth_window",
            "flap_window",
            "region",
            "habits",
            "contact",
            "consent",
            "bounds",
            "weights",
        ],
    );
    let windows = [
        ("value_window", &mut settings.value_window),
        ("growth_window", &mut settings.growth_window),
        ("flap_window", &mut settings.flap_window),
    ];
    for (key, window) in windows {
        if let Some(given) = positive_span(reader, &table, key) {
            *window = given;
        }
    }
    if let Some(region) = reader.text(&table, "region") {
        settings.region = region.text().into();
    }
    if let Some((_, values)) = reader.list(&table, "habits") {
        settings.habits = values.into_iter().filter_map(|value| habit(reader, value)).collect();
    }
    settings.contact = names(reader, &table, "contact");
    settings.consent = names(reader, &table, "consent");
    bounds(reader, &table, &mut settings.bounds);
    weights(reader, &table, &mut settings.weights);
    settings
}

fn positive_span(reader: &mut Reader, table: &Table<'_>, key: &str) -> Option<Span> {
    let (span, place) = reader.span(table, key)?;
    if span.0 == 0 {
        let diagnostic = Diagnostic::new(Code::BadSetting, place, format!("`{key}` is zero"));
        reader.report(diagnostic.help("give it a length, such as \"30d\""));
        return None;
    }
    Some(span)
}

fn habit(reader: &mut Reader, value: Value<'_>) -> Option<Habit> {
    let name = reader.excerpt("habits", value)?;
    let found = Habit::all().find(|habit| habit.name() == name.text());
    if found.is_none() {
        let known = || Habit::all().map(Habit::name);
        let title = format!("purchases have no `{}` to count by", name.text());
        let diagnostic = Diagnostic::new(Code::UnknownField, name.whole(), title);
        reader.report(match nearest(name.text(), known()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
        });
    }
    found
}

/// Names of profile attributes.
fn names(reader: &mut Reader, table: &Table<'_>, key: &str) -> Vec<Box<str>> {
    let Some((place, values)) = reader.list(table, key) else { return Vec::new() };
    if values.len() > NAMES_MAX {
        let title = format!("`{key}` has {} names", values.len());
        reader.report(Diagnostic::new(Code::TooMany, place, title).help(format!("there may be {NAMES_MAX}")));
        return Vec::new();
    }
    let names = values.into_iter().filter_map(|value| reader.excerpt(key, value));
    names.map(|name| name.text().into()).collect()
}

fn bounds(reader: &mut Reader, report: &Table<'_>, bounds: &mut Bounds) {
    let Some(table) = report.get("bounds").and_then(|value| reader.table("[report.bounds]", "bounds", value)) else {
        return;
    };
    let shares = [
        ("known_min", &mut bounds.known_min),
        ("reachable_min", &mut bounds.reachable_min),
        ("flow_max", &mut bounds.flow_max),
        ("flap_max", &mut bounds.flap_max),
        ("size_share_min", &mut bounds.size_share_min),
        ("value_share_min", &mut bounds.value_share_min),
    ];
    let mut known: Vec<&str> = shares.iter().map(|(key, _)| *key).collect();
    known.push("size_min");
    reader.only(&table, &known);
    for (key, bound) in shares {
        let Some(value) = table.get(key) else { continue };
        match number(reader, key, value) {
            // Of a segment that is left and entered often, more than all may leave in 30 days.
            Some(share) if share <= Amount::ONE || key == "flow_max" => *bound = share,
            Some(_) => {
                let diagnostic =
                    Diagnostic::new(Code::BadSetting, reader.place(value.span()), format!("`{key}` is no share"));
                reader.report(diagnostic.help("a share is from 0 to 1: 0.8 is 80 %"));
            }
            None => {}
        }
    }
    if let Some(value) = table.get("size_min")
        && let Some(size) = number(reader, "size_min", value)
    {
        if size.0 % Amount::ONE.0 == 0 {
            bounds.size_min = (size.0 / Amount::ONE.0) as u64;
        } else {
            let place = reader.place(value.span());
            let diagnostic = Diagnostic::new(Code::BadSetting, place, "`size_min` is no whole number");
            reader.report(diagnostic.help("it counts customers"));
        }
    }
}

fn weights(reader: &mut Reader, report: &Table<'_>, weights: &mut Weights) {
    let Some(table) = report.get("weights").and_then(|value| reader.table("[report.weights]", "weights", value)) else {
        return;
    };
    let each = [
        ("size", &mut weights.size),
        ("value", &mut weights.value),
        ("growth", &mut weights.growth),
        ("stability", &mut weights.stability),
    ];
    reader.only(&table, &each.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    for (key, weight) in each {
        if let Some(given) = table.get(key).and_then(|value| number(reader, key, value)) {
            *weight = given;
        }
    }
    if [weights.size, weights.value, weights.growth, weights.stability].iter().all(|weight| weight.0 == 0) {
        let diagnostic = Diagnostic::new(Code::BadSetting, table.place.clone(), "all weights are zero");
        reader.report(diagnostic.help("give one of them a weight: `value = 2`"));
    }
}

/// A number of at least zero.
fn number(reader: &mut Reader, key: &str, value: Value<'_>) -> Option<Amount> {
    let written = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => {
            reader.wrong_type(key, value, "a number");
            return None;
        }
    };
    match parse_number(written) {
        Ok(number) => Some(number),
        Err(why) => {
            let place = reader.place(value.span());
            let title = format!("`{key}` is no number of zero or more");
            reader.report(Diagnostic::new(Code::BadNumber, place, title).help(why.explain()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rules::load_text;

    const RULES: &str =
        "[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'purchase.count() > 1'\n";

    fn settings_of(report: &str) -> Settings {
        load_text("segments.toml", &format!("{report}\n{RULES}")).expect("the settings are right").report
    }

    fn titles_of(report: &str) -> Vec<String> {
        let found = load_text("segments.toml", &format!("{report}\n{RULES}")).expect_err("something is wrong");
        found
            .into_iter()
            .map(|diagnostic| format!("{} {}", diagnostic.title, diagnostic.help.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn without_the_table_the_defaults_count_and_the_version_knows_nothing_of_it() {
        assert_eq!(settings_of(""), Settings::default());
        let plain = load_text("segments.toml", RULES).expect("the rules are right").plan.version;
        let with = load_text("segments.toml", &format!("[report]\nvalue_window = \"30d\"\n{RULES}"));
        assert_eq!(with.expect("the settings are right").plan.version, plain);
    }

    #[test]
    fn every_setting_is_taken() {
        let settings = settings_of(
            "[report]\nvalue_window = \"30d\"\nflap_window = \"2w\"\nregion = \"state\"\nhabits = [\"product\", \"month\"]\n\
             contact = [\"email\"]\nconsent = [\"newsletter\"]\n[report.bounds]\nflow_max = 2.5\nsize_min = 7\n\
             [report.weights]\ngrowth = 0\n",
        );
        let expected = Settings {
            value_window: days(30),
            flap_window: days(14),
            region: "state".into(),
            habits: vec![Habit::Field(TextField::Product), Habit::Month],
            contact: vec!["email".into()],
            consent: vec!["newsletter".into()],
            bounds: Bounds { flow_max: Amount(25_000), size_min: 7, ..Bounds::default() },
            weights: Weights { growth: Amount::ZERO, ..Weights::default() },
            ..Settings::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn slips_are_found_with_a_fix() {
        for (report, expected) in [
            ("[report]\nvalue_windw = \"30d\"", "did you mean `value_window`?"),
            ("[report]\nflap_window = \"0d\"", "`flap_window` is zero"),
            ("[report]\nhabits = [\"categry\"]", "did you mean `category`?"),
            ("[report]\nhabits = [\"months\"]", "did you mean `month`?"),
            ("[report]\nhabits = [\"query\"]", "there are product, category"),
            ("[report.bounds]\nknown_min = 80", "0.8 is 80 %"),
            ("[report.bounds]\nsize_min = 1.5", "it counts customers"),
            ("[report.bounds]\nsize_min = -1", "no number of zero or more"),
            ("[report.weights]\nworth = 1", "[report.weights] has no setting `worth`"),
            ("[report.weights]\nsize = 0\nvalue = 0\ngrowth = 0\nstability = 0", "all weights are zero"),
        ] {
            let found = titles_of(report);
            assert!(found.iter().any(|found| found.contains(expected)), "{report}: {found:?}");
        }
    }
}
