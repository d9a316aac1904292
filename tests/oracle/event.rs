//! A line of JSON as an event, read in full, or the reason why it is none (CONTRACT.md "Events in", SPEC 5 "Amounts").

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use dormouse::plain::{Decimal, Event, Line, Scalar};

use super::decimal::decimal as parse;
use super::rules::Reading;

/// JSON whose numbers stay text.
enum Json {
    Null,
    Truth(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    fn read(text: &str) -> Result<Json, serde_json::Error> {
        let text = text.trim();
        Ok(match text.bytes().next() {
            Some(b'{') => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
                let read = |(name, raw): (String, &RawValue)| Ok((name, Json::read(raw.get())?));
                Json::Object(fields.into_iter().map(read).collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text)?;
                Json::List(elements.into_iter().map(|raw| Json::read(raw.get())).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Json::Text(serde_json::from_str(text)?),
            Some(b't' | b'f') => Json::Truth(serde_json::from_str(text)?),
            Some(b'n') => serde_json::from_str::<()>(text).map(|()| Json::Null)?,
            _ => {
                serde_json::from_str::<&RawValue>(text)?;
                Json::Number(text.to_owned())
            }
        })
    }

    fn scalar(&self) -> Option<Scalar> {
        match self {
            Json::Text(text) => Some(Scalar::Text(text.clone())),
            Json::Number(text) => parse(text).map(|number| Scalar::Number(number.rounded())),
            Json::Truth(truth) => Some(Scalar::Truth(*truth)),
            _ => None,
        }
    }
}

type Fields = BTreeMap<String, Json>;
type Reason = &'static str;

/// Ten thousand million currency units.
const AMOUNT_MAX: i128 = 10_000_000_000 * 10_000;
const TIME_END: i64 = 4_102_444_800_000;

/// The customer, and what they did.
pub fn read(text: &str, rules: &Reading) -> Result<(String, Event), Reason> {
    let Ok(Json::Object(fields)) = Json::read(text) else { return Err("undecodable") };
    let customer = customer(&fields)?;
    let time = time(&fields)?;
    let id = text_of(&fields, "event_id")?.filter(|id| !id.is_empty());
    if id.as_ref().is_some_and(|id| id.len() > 128) {
        return Err("id_too_long");
    }
    let kind = text_of(&fields, "kind")?.filter(|kind| rules.amounts.contains_key(kind)).ok_or("unknown_kind")?;
    let rate = rate(&fields, time, rules)?;
    let lines = if has_lines(&kind) { lines(&fields, rate)? } else { Vec::new() };
    let rating = decimal(&fields, "rating")?.map(Decimal::rounded);
    let amount = amount(&fields, &kind, rules, &lines, rate)?;
    let event = Event {
        kind: rules.rules.kinds.iter().position(|known| known.name == kind).expect("it has an amount"),
        id,
        time,
        amount,
        lines,
        texts: texts(&fields, event_texts(&kind))?,
        rating: rating.filter(|_| kind == "feedback" || is_custom(&kind)),
        discount: decimal(&fields, "discount")?.map(Decimal::rounded),
        attributes: attributes(&fields)?,
    };
    Ok((customer, event))
}

fn is_custom(kind: &str) -> bool {
    !["purchase", "browse", "search", "refund", "feedback", "profile"].contains(&kind)
}

fn has_lines(kind: &str) -> bool {
    kind == "purchase" || kind == "refund"
}

/// The JSON names of the texts that events of a kind have, each with its name in rules.
fn event_texts(kind: &str) -> Vec<(&'static str, &'static str)> {
    let mut names = vec![("channel", "channel"), ("country", "country"), ("device", "device"), ("coupon", "coupon")];
    if has_lines(kind) || kind == "browse" || is_custom(kind) {
        names.extend(LINE_TEXTS);
    }
    if kind == "search" || is_custom(kind) {
        names.push(("query", "query"));
    }
    names
}

const LINE_TEXTS: [(&str, &str); 3] = [("product_id", "product"), ("category", "category"), ("brand", "brand")];

fn texts(
    fields: &Fields,
    names: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> Result<BTreeMap<&'static str, String>, Reason> {
    let mut found = BTreeMap::new();
    for (json, name) in names {
        if let Some(text) = text_of(fields, json)? {
            found.insert(name, if name == "query" { text.to_lowercase() } else { text });
        }
    }
    Ok(found)
}

fn text_of(fields: &Fields, name: &str) -> Result<Option<String>, Reason> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err("undecodable"),
    }
}

fn decimal(fields: &Fields, name: &str) -> Result<Option<Decimal>, Reason> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Text(text) | Json::Number(text)) => parse(text).map(Some).ok_or("undecodable"),
        Some(_) => Err("undecodable"),
    }
}

fn customer(fields: &Fields) -> Result<String, Reason> {
    match fields.get("customer_id") {
        Some(Json::Text(text)) if text.len() > 256 => Err("id_too_long"),
        Some(Json::Text(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Json::Number(text))
            if text.bytes().skip(usize::from(text.starts_with('-'))).all(|b| b.is_ascii_digit()) =>
        {
            Ok(text.clone())
        }
        _ => Err("no_customer"),
    }
}

fn time(fields: &Fields) -> Result<i64, Reason> {
    let time = match fields.get("time") {
        Some(Json::Number(text)) => text.parse::<i64>().map_err(|_| "bad_time")?,
        Some(Json::Text(text)) => {
            let moment: jiff::Timestamp = text.parse().map_err(|_| "bad_time")?;
            let ms = moment.as_nanosecond().div_euclid(1_000_000);
            i64::try_from(ms).map_err(|_| "bad_time")?
        }
        _ => return Err("bad_time"),
    };
    if (0..TIME_END).contains(&time) { Ok(time) } else { Err("bad_time") }
}

/// What one unit of the event's currency is in the base currency; nothing when it is the base currency.
fn rate(fields: &Fields, time: i64, rules: &Reading) -> Result<Option<Decimal>, Reason> {
    let Some(currency) = text_of(fields, "currency")?.filter(|currency| *currency != rules.currency) else {
        return Ok(None);
    };
    let rates = rules.rates.get(&currency).ok_or("unknown_currency")?;
    let day = day_of(time, &TimeZone::UTC);
    let valid = rates.iter().rev().find(|(from, _)| *from <= day).or(rates.first());
    valid.map(|(_, rate)| Some(*rate)).ok_or("unknown_currency")
}

/// The local day, counted from 1970-01-01.
pub fn day_of(time: i64, zone: &TimeZone) -> i64 {
    let date = jiff::Timestamp::from_millisecond(time).expect("a time in range").to_zoned(zone.clone()).date();
    day_number(date)
}

pub fn day_number(date: jiff::civil::Date) -> i64 {
    let epoch = jiff::civil::date(1970, 1, 1);
    i64::from(epoch.until((jiff::Unit::Day, date)).expect("dates in range").get_days())
}

fn in_base(value: Decimal, rate: Option<Decimal>) -> Result<i128, Reason> {
    let in_range = |amount: i128| (-AMOUNT_MAX..=AMOUNT_MAX).contains(&amount).then_some(amount);
    let amount = in_range(value.rounded()).ok_or("amount_out_of_range")?;
    let Some(rate) = rate else { return Ok(amount) };
    in_range(Decimal::ten_thousandths(amount).times(rate).rounded()).ok_or("amount_out_of_range")
}

fn lines(fields: &Fields, rate: Option<Decimal>) -> Result<Vec<Line>, Reason> {
    match fields.get("items") {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::List(lines)) => lines.iter().map(|one| line(one, rate)).collect(),
        Some(_) => Err("undecodable"),
    }
}

fn line(json: &Json, rate: Option<Decimal>) -> Result<Line, Reason> {
    let Json::Object(fields) = json else { return Err("undecodable") };
    let quantity = decimal(fields, "quantity")?.unwrap_or(Decimal::integer(1));
    let priced = decimal(fields, "unit_price")?.map(|price| price.times(quantity));
    let amount = decimal(fields, "amount")?.or(priced);
    Ok(Line {
        texts: texts(fields, LINE_TEXTS)?,
        quantity: quantity.rounded(),
        discount: decimal(fields, "discount")?.map(Decimal::rounded),
        amount: amount.map(|amount| in_base(amount, rate)).transpose()?,
    })
}

fn amount(
    fields: &Fields,
    kind: &str,
    rules: &Reading,
    lines: &[Line],
    rate: Option<Decimal>,
) -> Result<Option<i128>, Reason> {
    let configured = rules.amounts[kind].as_deref();
    let named = match kind {
        "browse" | "search" | "profile" if configured.is_none() => return Ok(None),
        "feedback" => configured.unwrap_or("rating"),
        _ => configured.unwrap_or("amount"),
    };
    let own = decimal(fields, named)?.map(|amount| in_base(amount, rate)).transpose()?;
    if !has_lines(kind) {
        return match own {
            None if kind == "feedback" => Err("no_amount"),
            own => Ok(Some(own.unwrap_or(0))),
        };
    }
    if own.is_none() && lines.is_empty() {
        return Err("no_amount");
    }
    let amount = own.unwrap_or_else(|| lines.iter().filter_map(|line| line.amount).sum());
    if !(-AMOUNT_MAX..=AMOUNT_MAX).contains(&amount) {
        return Err("amount_out_of_range");
    }
    Ok(Some(if kind == "refund" { amount.abs() } else { amount }))
}

fn attributes(fields: &Fields) -> Result<BTreeMap<String, Option<Scalar>>, Reason> {
    match fields.get("attributes") {
        None | Some(Json::Null) => Ok(BTreeMap::new()),
        Some(Json::Object(named)) => Ok(named.iter().map(|(name, json)| (name.clone(), json.scalar())).collect()),
        Some(_) => Err("undecodable"),
    }
}
