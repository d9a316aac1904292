//! A published change in words: one line for people, made of nothing but what a subscriber reads from the topic.

use serde::Deserialize;

use crate::cli::paint::{Paint, Tone};

/// The fields of a change that the line needs.
#[derive(Debug, Deserialize)]
pub struct Told {
    pub customer_id: String,
    pub dimension: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub effective_at: String,
    pub cause: Cause,
    pub evidence: Vec<Evidence>,
}

#[derive(Debug, Deserialize)]
pub struct Cause {
    #[serde(rename = "type")]
    pub kind: String,
    pub partition: Option<i32>,
    pub offset: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub struct Evidence {
    pub condition: String,
    pub value: String,
    pub holds: bool,
}

/// Of all that held, so much is told: rules that ask many things would fill the screen.
const REASONS_MAX: usize = 2;

/// The change as one line without its end.
pub fn line(told: &Told, paint: Paint) -> String {
    let day_and_time = told.effective_at.get(..19).unwrap_or(&told.effective_at).replace('T', " ");
    let name = |segment: &Option<String>| segment.clone().unwrap_or_else(|| "none".to_owned());
    let cause = match told.cause.kind.as_str() {
        "elapsed" => "time",
        "late_event" => "late",
        other => other,
    };
    format!(
        "{} {} {:<11}{} {} {}  {} {}",
        paint.tone(Tone::Faint, day_and_time),
        paint.tone(Tone::Strong, format!("{:<6}", told.customer_id)),
        told.dimension,
        paint.tone(Tone::Faint, format!("{:>13}", name(&told.from))),
        paint.tone(Tone::Change, "→"),
        paint.tone(Tone::Name, format!("{:<13}", name(&told.to))),
        paint.tone(Tone::Faint, format!("{cause:<5}")),
        reasons(&told.evidence, paint),
    )
    .trim_end()
    .to_owned()
}

/// What decided: the comparisons that held, or, when the customer fell out of everything, those that did not.
fn reasons(evidence: &[Evidence], paint: Paint) -> String {
    let any_holds = evidence.iter().any(|evidence| evidence.holds);
    let mut decisive = evidence.iter().filter(|evidence| evidence.holds == any_holds);
    let mut told: Vec<String> = decisive.by_ref().take(REASONS_MAX).map(|evidence| reason(evidence, paint)).collect();
    if decisive.next().is_some() {
        told.push("…".to_owned());
    }
    told.join(", ")
}

fn reason(evidence: &Evidence, paint: Paint) -> String {
    let Some((left, wanted)) = split(&evidence.condition) else {
        return format!("{}: {}", evidence.condition, evidence.value);
    };
    let fact = phrase(left, &evidence.value).unwrap_or_else(|| format!("{left} is {}", evidence.value));
    let wanted = with_bare_durations(wanted);
    let bound = if evidence.holds { format!("({wanted})") } else { format!("(not {wanted})") };
    format!("{fact} {}", paint.tone(Tone::Faint, bound))
}

/// `duration("30d")` as `30d`.
fn with_bare_durations(text: &str) -> String {
    let mut parts = text.split("duration(\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |bare, part| bare + &part.replacen("\")", "", 1))
}

/// The left side of a comparison, and the rest from its operator on. Operators inside a filter are not its.
fn split(condition: &str) -> Option<(&str, &str)> {
    let (mut is_quoted, mut depth) = (false, 0);
    for (at, c) in condition.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth -= 1,
            '<' | '>' | '=' | '!' if !is_quoted && depth == 0 => {
                return Some((condition[..at].trim_end(), &condition[at..]));
            }
            _ => {}
        }
    }
    None
}

/// The value of a plain feature in words; `None` for sums of features and filtered ones.
fn phrase(feature: &str, value: &str) -> Option<String> {
    let (kind, call) = feature.split_once('.')?;
    let (measure, window) = call.strip_suffix(')')?.split_once('(')?;
    let is_plain = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let window = window.trim_matches('"');
    let is_of_both_sides = value.contains(" against ");
    if is_of_both_sides || !is_plain(kind) || !is_plain(measure) || !is_plain(window) {
        return None;
    }
    let within = if window.is_empty() { "ever".to_owned() } else { format!("in {window}") };
    let plural = |n: &str, noun: &str| if n == "1" { format!("1 {noun}") } else { format!("{n} {noun}s") };
    match measure {
        "count" => Some(format!("{} {within}", plural(value, kind))),
        "days" => Some(format!("{kind} on {} {within}", plural(value, "day"))),
        "sum" => Some(format!("{kind} total {value} {within}")),
        "since_last" if value == "never" => Some(format!("no {kind} ever")),
        "since_last" => Some(format!("last {kind} {value} ago")),
        "since_first" => Some(format!("first {kind} {value} ago")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(change: &str, expected: Expect) {
        let told: Told = serde_json::from_str(change).expect("a change");
        expected.assert_eq(&line(&told, Paint { is_on: false }));
    }

    #[test]
    fn a_change_by_time_says_how_long_ago() {
        check(
            r#"{"customer_id":"17850","dimension":"activity","from":"promising","to":"dormant",
                "effective_at":"2011-03-02T10:37:00.000Z","cause":{"type":"elapsed"},"evidence":[
                {"condition":"purchase.count() >= 1","value":"4","holds":true},
                {"condition":"purchase.since_last() >= duration(\"90d\")","value":"90d","holds":true}]}"#,
            expect![
                "2011-03-02 10:37:00 17850  activity       promising → dormant        time  4 purchases ever (>= 1), last purchase 90d ago (>= 90d)"
            ],
        );
    }

    #[test]
    fn sums_of_features_stay_as_they_are_written() {
        check(
            r#"{"customer_id":"c-7","dimension":"spend","from":null,"to":"high","effective_at":"2011-03-02T10:37:00.000Z",
                "cause":{"type":"event","partition":1,"offset":7},"evidence":[
                {"condition":"purchase.sum(\"180d\") - refund.sum(\"180d\") >= 1000","value":"1020.5","holds":true},
                {"condition":"purchase.count(\"30d\") >= 4","value":"1","holds":false}]}"#,
            expect![[
                r#"2011-03-02 10:37:00 c-7    spend               none → high           event purchase.sum("180d") - refund.sum("180d") is 1020.5 (>= 1000)"#
            ]],
        );
    }

    #[test]
    fn two_reasons_are_told_and_operators_of_a_filter_stay_in_it() {
        check(
            r#"{"customer_id":"8","dimension":"behaviour","from":"low_spending","to":"promising",
                "effective_at":"2011-03-02T10:37:00.000Z","cause":{"type":"event","partition":1,"offset":7},"evidence":[
                {"condition":"purchase.where(discount > 0).count(\"90d\") <= 0.5 * purchase.count(\"90d\")",
                 "value":"0 against 0.5","holds":true},
                {"condition":"purchase.since_last() > 2 * purchase.gap()","value":"90d against 14d","holds":true},
                {"condition":"purchase.count() >= 1","value":"1","holds":true}]}"#,
            expect![[
                r#"2011-03-02 10:37:00 8      behaviour   low_spending → promising      event purchase.where(discount > 0).count("90d") is 0 against 0.5 (<= 0.5 * purchase.count("90d")), purchase.since_last() is 90d against 14d (> 2 * purchase.gap()), …"#
            ]],
        );
    }

    #[test]
    fn who_falls_out_of_everything_is_told_what_no_longer_holds() {
        check(
            r#"{"customer_id":"9","dimension":"spend","from":"low","to":null,"effective_at":"2011-03-02T10:37:00.000Z",
                "cause":{"type":"elapsed"},"evidence":[
                {"condition":"purchase.count(\"180d\") >= 1","value":"0","holds":false}]}"#,
            expect![
                "2011-03-02 10:37:00 9      spend                low → none           time  0 purchases in 180d (not >= 1)"
            ],
        );
    }
}
