//! The settings of `segments.toml` that are not rules: time zone, currencies, kinds of events.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use toml::de::DeValue;

use super::document::{Reader, Table, Value};
use super::rules::too_many;
use crate::event::{AmountSource, Builtin, Decimal, Instant, Rates, Span};
use crate::rules::check::RESERVED;
use crate::rules::declared::Kind;
use crate::rules::diagnostic::{Code, Diagnostic, nearest};
use crate::rules::place::{Excerpt, Place};

/// Letters, digits and `_`, beginning with a letter or `_`.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The time zone; UTC when it is absent or wrong. Always of the rules that Dormouse brings along, so that the same
/// rules decide alike on every machine.
pub(super) fn zone(reader: &mut Reader, root: &Table<'_>) -> TimeZone {
    let Some(name) = reader.text(root, "timezone") else { return TimeZone::UTC };
    let zones = TimeZoneDatabase::bundled();
    if let Ok(zone) = zones.get(name.text()) {
        return zone;
    }
    let diagnostic = Diagnostic::new(Code::UnknownZone, name.whole(), format!("no time zone `{}`", name.text()));
    let known: Vec<String> = zones.available().map(|zone| zone.to_string()).collect();
    reader.report(match nearest(name.text(), known.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("time zones are named as in `Europe/Berlin`, or `UTC`"),
    });
    TimeZone::UTC
}

/// The base currency; EUR when it is absent or wrong.
pub(super) fn currency(reader: &mut Reader, root: &Table<'_>) -> Box<str> {
    let Some(name) = reader.text(root, "currency") else { return "EUR".into() };
    if !is_currency(&name) {
        reader.report(not_a_currency(&name));
        return "EUR".into();
    }
    name.text().into()
}

fn is_currency(name: &Excerpt) -> bool {
    name.text().len() == 3 && name.text().bytes().all(|byte| byte.is_ascii_uppercase())
}

fn not_a_currency(name: &Excerpt) -> Diagnostic {
    let title = format!("`{}` is no currency code", name.text());
    let upper = name.text().to_ascii_uppercase();
    let help = if upper.len() == 3 && upper.bytes().all(|byte| byte.is_ascii_uppercase()) {
        format!("write `{upper}`")
    } else {
        "codes have three capital letters (ISO 4217), such as `EUR`".to_string()
    };
    Diagnostic::new(Code::BadCurrency, name.whole(), title).help(help)
}

/// `[rates.USD]`: a date, and what one USD is worth in the base currency from that day (UTC) on.
pub(super) fn rates(reader: &mut Reader, root: &Table<'_>, base: &str) -> Rates {
    let mut rates = Rates::new();
    let Some(table) = root.get("rates").and_then(|value| reader.table("[rates]", "rates", value)) else {
        return rates;
    };
    for (currency, value) in table.entries() {
        if !is_currency(&currency) {
            reader.report(not_a_currency(&currency));
        } else if currency.text() == base {
            let title = format!("a rate of {base}, which is the base currency");
            reader.report(Diagnostic::new(Code::BadRate, currency.whole(), title).help("take it out: it is 1"));
        }
        let name = format!("[rates.{}]", currency.text());
        let Some(table) = reader.table(name.clone(), currency.text(), value) else { continue };
        let entries = table.entries();
        if entries.is_empty() {
            let diagnostic = Diagnostic::new(Code::BadRate, table.place.clone(), format!("{name} has no rate"));
            reader.report(diagnostic.help("add one: `\"2025-01-01\" = \"0.92\"`"));
        }
        let mut of_currency: Vec<(Instant, Decimal)> =
            entries.into_iter().filter_map(|(day, value)| rate(reader, &day, value)).collect();
        of_currency.sort_by_key(|(from, _)| *from);
        rates.insert(currency.text().into(), of_currency);
    }
    rates
}

fn rate(reader: &mut Reader, day: &Excerpt, value: Value<'_>) -> Option<(Instant, Decimal)> {
    let from = (day.text().len() == 10)
        .then(|| day.text().parse::<jiff::civil::Date>().ok())
        .flatten()
        .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
        .map(|midnight| Instant(midnight.timestamp().as_millisecond()));
    if from.is_none() {
        let title = format!("`{}` is no day", day.text());
        let diagnostic = Diagnostic::new(Code::BadRate, day.whole(), title);
        reader.report(diagnostic.help("days are written `\"2025-01-01\"`"));
    }
    let written = match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_string()),
        DeValue::Float(number) => Some(number.as_str().to_string()),
        _ => None,
    };
    let rate = written.as_deref().and_then(positive_decimal);
    if rate.is_none() {
        let place = reader.place(value.span());
        reader.report(
            Diagnostic::new(Code::BadRate, place, "not a rate")
                .label("expected a decimal above zero")
                .help("what one unit is worth in the base currency, with at most twelve decimals: `\"0.92\"`"),
        );
    }
    Some((from?, rate?))
}

/// Digits with at most twelve on each side of the point, above zero.
fn positive_decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.len() <= 12 && part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    (mantissa > 0).then_some(Decimal { mantissa, scale: fraction.len() as i32 })
}

/// `[changes]`: what a change carries beside what decided it.
pub(super) fn reasons(reader: &mut Reader, root: &Table<'_>) -> bool {
    let table = root.get("changes").and_then(|value| reader.table("[changes]", "changes", value));
    let Some(table) = table else { return false };
    reader.only(&table, &["reason"]);
    reader.flag(&table, "reason").unwrap_or(false)
}

/// The built-in kinds, with their defaults.
const BUILTIN: [(&str, Builtin); 6] = [
    ("purchase", Builtin::Purchase),
    ("browse", Builtin::Browse),
    ("search", Builtin::Search),
    ("refund", Builtin::Refund),
    ("feedback", Builtin::Feedback),
    ("profile", Builtin::Profile),
];

fn defaults(name: &str, builtin: Builtin) -> Kind {
    let dedup_window = match builtin {
        Builtin::Browse | Builtin::Search => Span(10 * Span::MINUTE.0),
        _ => Span(24 * Span::HOUR.0),
    };
    let amount = match builtin {
        Builtin::Browse | Builtin::Search | Builtin::Profile => AmountSource::None,
        Builtin::Feedback => AmountSource::Rating,
        Builtin::Purchase | Builtin::Refund | Builtin::Custom => AmountSource::Amount,
    };
    Kind { name: name.into(), builtin, amount, resolution: Span::SECOND, resolution_place: None, dedup_window }
}

/// `[kind.K]`: the built-in ones in their order, then those that the file adds, by name.
pub(super) fn kinds(reader: &mut Reader, root: &Table<'_>) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = BUILTIN.iter().map(|(name, builtin)| defaults(name, *builtin)).collect();
    let Some(table) = root.get("kind").and_then(|value| reader.table("[kind]", "kind", value)) else {
        return kinds;
    };
    let mut entries = table.entries();
    too_many(reader, "kinds", entries.iter().map(|(key, _)| key.whole()));
    entries.sort_by(|(one, _), (other, _)| one.text().cmp(other.text()));
    for (name, value) in entries {
        let index = match kinds.iter().position(|kind| &*kind.name == name.text()) {
            Some(index) => index,
            None => {
                check_kind_name(reader, &name);
                kinds.push(defaults(name.text(), Builtin::Custom));
                kinds.len() - 1
            }
        };
        kind(reader, &name, value, &mut kinds[index]);
    }
    kinds
}

fn check_kind_name(reader: &mut Reader, name: &Excerpt) {
    let diagnostic = |title: String| Diagnostic::new(Code::BadName, name.whole(), title);
    if RESERVED.contains(&name.text()) {
        let title = format!("a kind cannot be named `{}`", name.text());
        reader.report(diagnostic(title).label("this means something else in rules").help("choose another name"));
    } else if !is_identifier(name.text()) || name.text().len() > 64 {
        let title = format!("`{}` cannot be a kind's name", name.text());
        let help = "a name has at most 64 letters, digits and `_`, and begins with a letter";
        reader.report(diagnostic(title).help(help));
    }
}

fn kind(reader: &mut Reader, name: &Excerpt, value: Value<'_>, kind: &mut Kind) {
    let Some(table) = reader.table(format!("[kind.{}]", name.text()), name.text(), value) else { return };
    reader.only(&table, &["resolution", "dedup_window", "amount"]);
    if let Some((resolution, place)) = reader.span(&table, "resolution") {
        if resolution.0 > 0 && Span::DAY.0 % resolution.0 == 0 {
            kind.resolution = resolution;
        } else {
            reader.report(bad_resolution(resolution, place.clone()));
        }
        kind.resolution_place = Some(place);
    }
    if let Some((window, _)) = reader.span(&table, "dedup_window") {
        kind.dedup_window = window;
    }
    if let Some(field) = reader.text(&table, "amount") {
        kind.amount = amount_source(reader, &field);
    }
}

fn bad_resolution(resolution: Span, place: Place) -> Diagnostic {
    let parts = Span::DAY.0 / resolution.0.clamp(1, Span::DAY.0)..=Span::DAY.0;
    let finer = parts.into_iter().filter(|n| *n > 0 && Span::DAY.0 % n == 0).map(|n| Span::DAY.0 / n);
    let finer = finer.into_iter().find(|ms| *ms <= resolution.0).unwrap_or(Span::SECOND.0);
    Diagnostic::new(Code::BadResolution, place, format!("{resolution} does not divide a day"))
        .label("every day must begin at a multiple of it")
        .help(format!("use \"{}\"", Span(finer)))
}

/// Which field is a kind's amount.
fn amount_source(reader: &mut Reader, field: &Excerpt) -> AmountSource {
    const NOT_NUMBERS: [&str; 15] = [
        "event_id",
        "kind",
        "customer_id",
        "time",
        "currency",
        "items",
        "product_id",
        "category",
        "brand",
        "query",
        "channel",
        "country",
        "device",
        "coupon",
        "attributes",
    ];
    let name = field.text();
    if name.is_empty() || NOT_NUMBERS.contains(&name) {
        let title =
            if name.is_empty() { "an amount without a field".to_string() } else { format!("`{name}` holds no number") };
        reader.report(
            Diagnostic::new(Code::BadAmountField, field.whole(), title)
                .help("name a field that holds a decimal, such as `amount` or `rating`"),
        );
    }
    match name {
        "amount" => AmountSource::Amount,
        "rating" => AmountSource::Rating,
        other => AmountSource::Field(other.into()),
    }
}
