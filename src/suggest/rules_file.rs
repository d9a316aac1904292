//! The suggestion as `segments.toml`: every threshold with its reason and its exact value beside it, and tests that show
//! what it does.

use std::fmt::{Display, Write};

use super::behaviour::{Away, Behaviour};
use super::browsing::{self, Browsing};
use super::rfm::{Group, Rfm, Score};
use super::spend::{Spend, Tier};
use super::trials;
use super::{Period, Suggestion};
use crate::event::{Amount, Instant};

/// What the file says beside the thresholds.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    pub currency: &'a str,
    /// Why this one, in a few words.
    pub currency_reason: &'a str,
    pub timezone: &'a str,
    pub timezone_reason: &'a str,
    /// Kinds of the shop's own that the history has.
    pub kinds: &'a [Box<str>],
}

/// Writes the file. A part that the history does not carry is a comment.
pub fn rules_file(suggestion: &Suggestion, settings: &Settings<'_>) -> String {
    let mut file = File::default();
    file.head(&suggestion.period, settings);
    if let Ok(rfm) = &suggestion.rfm {
        file.scores(rfm, &suggestion.period);
    }
    match &suggestion.behaviour {
        Ok(behaviour) => file.behaviour(behaviour),
        Err(lack) => file.absent("behaviour", lack),
    }
    match &suggestion.spend {
        Ok(spend) => file.spend(spend, &suggestion.period),
        Err(lack) => file.absent("spend", lack),
    }
    match &suggestion.rfm {
        Ok(rfm) => file.groups(rfm),
        Err(lack) => file.absent("rfm", lack),
    }
    match &suggestion.browsing {
        Some(Ok(browsing)) => file.browsing(browsing),
        Some(Err(lack)) => file.absent("browsing", lack),
        None => {}
    }
    trials::write(suggestion, &mut file.text);
    file.text
}

/// What customers spent in a window, in the language of rules.
pub fn net(window_days: i64, has_refunds: bool) -> String {
    let paid = format!("purchase.sum(\"{window_days}d\")");
    if has_refunds { format!("{paid} - refund.sum(\"{window_days}d\")") } else { paid }
}

#[derive(Default)]
struct File {
    text: String,
}

/// A segment; what is empty is left out.
#[derive(Default)]
struct Segment<'a> {
    reasons: Vec<String>,
    name: &'a str,
    when: String,
    stay: Option<String>,
    label: &'a str,
    action: &'a str,
}

impl File {
    fn line(&mut self, line: impl Display) {
        writeln!(self.text, "{line}").expect("a string takes everything");
    }

    fn comment(&mut self, line: impl Display) {
        self.line(format_args!("# {line}"));
    }

    fn absent(&mut self, name: &str, lack: impl Display) {
        self.line("");
        self.comment(format_args!("No suggestion for `{name}`: {lack}."));
    }

    fn head(&mut self, period: &Period, settings: &Settings<'_>) {
        let Period { first, end, n_days, n_events, n_customers, .. } = period;
        self.comment(
            "Thresholds read off a history by `dormouse suggest`. Each has its reason and its exact value beside it.",
        );
        let day = |instant: &Instant| instant.to_string().chars().take("2026-01-05".len()).collect::<String>();
        self.comment(format_args!(
            "The history: {n_events} events of {n_customers} customers in {n_days} days, {} to {}.",
            day(first),
            day(end)
        ));
        self.comment("What a history cannot know: your margins, what a coupon costs, what comes next. Change what you know better.");
        self.line("");
        self.line(format_args!("timezone = \"{}\"    # {}", settings.timezone, settings.timezone_reason));
        self.line(format_args!("currency = \"{}\"    # {}", settings.currency, settings.currency_reason));
        for kind in settings.kinds {
            self.line("");
            self.line(format_args!("[kind.{kind}]    # events of the history that are of a kind of your own"));
        }
    }

    fn dimension(&mut self, name: &str) {
        self.line("");
        self.line("[[dimension]]");
        self.line(format_args!("name = \"{name}\""));
    }

    fn segment(&mut self, segment: &Segment<'_>) {
        self.line("");
        for reason in &segment.reasons {
            self.comment(reason);
        }
        self.line("[[dimension.segment]]");
        self.line(format_args!("name = \"{}\"", segment.name));
        self.line(format_args!("when = '{}'", segment.when));
        if let Some(stay) = &segment.stay {
            self.line(format_args!("stay = '{stay}'"));
        }
        self.line(format_args!("label = \"{}\"", segment.label));
        if !segment.action.is_empty() {
            self.line(format_args!("action = \"{}\"", segment.action));
        }
    }

    fn behaviour(&mut self, found: &Behaviour) {
        self.line("");
        self.line("");
        self.comment("Who is still a customer? From the gaps between the days on which somebody bought:");
        self.comment(format_args!(
            "{} gaps ended, of {} customers who came back; {} have not ended yet. Those count as long as they have lasted",
            found.n_gaps_ended, found.n_returned_customers, found.n_gaps_open
        ));
        self.comment(format_args!(
            "(Kaplan and Meier 1958); without them it would be {} days, since the longest are the ones still open.",
            found.uncorrected_days
        ));
        self.comment(format_args!(
            "After {} of all visits another one came in time to be seen: \"those who come back\".",
            percent(found.share_ever)
        ));
        self.dimension("behaviour");
        let (dormant, at_risk) = (&found.dormant, &found.at_risk);
        let active_days = at_risk.unwrap_or(*dormant).days;
        self.segment(&Segment {
            reasons: vec![format!("Bought within {active_days} days.")],
            name: "active",
            when: format!("purchase.count(\"{active_days}d\") >= 1"),
            label: "Active",
            action: "care",
            ..Segment::default()
        });
        if let Some(at_risk) = at_risk {
            self.segment(&Segment {
                reasons: away(at_risk, "80 %"),
                name: "at_risk",
                when: format!("purchase.count(\"{}d\") >= 1", dormant.days),
                label: "At risk",
                action: "remind",
                ..Segment::default()
            });
        }
        self.segment(&Segment {
            reasons: away(dormant, "95 %"),
            name: "dormant",
            when: format!("purchase.count() >= 1 && purchase.since_last() >= duration(\"{}d\")", dormant.days),
            label: "Dormant",
            action: "wake_with_coupon",
            ..Segment::default()
        });
    }

    fn spend(&mut self, found: &Spend, period: &Period) {
        let window = found.window_days;
        self.line("");
        self.line("");
        self.comment(format_args!(
            "How much does a customer spend in {window} days? Of the {} who bought then, sorted by money, the tiers end where",
            found.n_customers
        ));
        self.comment("the sums lie furthest apart: natural breaks of the logarithm (Fisher 1958, known as Jenks'), which explain");
        self.comment(format_args!(
            "{} of the variance. Whoever is in a tier stays there with 80 % of it, so that nobody moves to and fro.",
            percent(found.fit)
        ));
        self.dimension("spend");
        let net = net(window, period.has_refunds);
        for tier in &found.tiers {
            let when = match &tier.from {
                Some(from) => format!("{net} >= {}", from.amount),
                None => format!("purchase.count(\"{window}d\") >= 1"),
            };
            self.segment(&Segment {
                reasons: tier_reasons(tier),
                name: tier.name,
                when,
                stay: tier.from.as_ref().map(|from| format!("{net} >= {}", from.stay)),
                label: tier_label(tier.name),
                action: tier_action(tier.name),
            });
        }
    }

    fn scores(&mut self, found: &Rfm, period: &Period) {
        let window = found.window_days;
        self.line("");
        self.comment(format_args!(
            "Recency, frequency, money, cut at the fifths of the {} customers who bought in the last {window} days: a cut is",
            found.n_customers
        ));
        self.comment("what a fifth, two, three, four fifths of them lie below. Equal customers are not torn apart, so there may be");
        self.comment("fewer cuts than four.");
        let days = |value: i64| format!("\"{value}d\"");
        self.score("recency", "purchase.since_last()", &found.recency, days);
        if let Some(frequency) = &found.frequency {
            self.score("frequency", &format!("purchase.count(\"{window}d\")"), frequency, |value| value.to_string());
        }
        if let Some(money) = &found.money {
            self.score("money", &net(window, period.has_refunds), money, |value| Amount(value).to_string());
        }
    }

    fn score(&mut self, name: &str, of: &str, score: &Score, shown: impl Fn(i64) -> String) {
        let list = |values: &mut dyn Iterator<Item = i64>| values.map(&shown).collect::<Vec<_>>().join(", ");
        let values = list(&mut score.cuts.iter().map(|cut| cut.value));
        let exact = list(&mut score.cuts.iter().map(|cut| cut.exact));
        self.line("");
        self.line(format_args!("[score.{name}]"));
        self.line(format_args!("of = '{of}'"));
        self.line(format_args!("cuts = [{values}]    # exactly {}", exact.replace('"', "")));
        if name == "recency" {
            self.line("falling = true");
        }
        let n_customers = score.n_customers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        self.comment(format_args!("Customers with score 1 to {}: {n_customers}", score.highest()));
    }

    fn groups(&mut self, found: &Rfm) {
        self.line("");
        self.line("");
        self.comment("The groups of recency, frequency and money that have become custom, on recency (5 is best) and the mean of");
        self.comment("frequency and money; where there are fewer scores, those groups that can be told apart.");
        self.dimension("rfm");
        for group in &found.groups {
            self.segment(&Segment {
                reasons: vec![format!(
                    "{} customers at the end of the history, {}.",
                    group.n_customers,
                    percent(group.share_of_customers)
                )],
                name: group.name,
                when: group_condition(found, group),
                label: group.label,
                action: group.action,
                ..Segment::default()
            });
        }
    }

    fn browsing(&mut self, found: &Browsing) {
        let window = browsing::WINDOW_DAYS;
        self.line("");
        self.line("");
        self.comment(format_args!("Who looks around? {} customers did in the last {window} days.", found.n_browsers));
        self.dimension("browsing");
        let no_purchase = format!("purchase.count(\"{window}d\") == 0");
        self.segment(&Segment {
            reasons: vec![
                format!(
                    "A fifth of them looked {} times or more; {} times: {}.",
                    found.exact,
                    found.often,
                    percent(found.share_often)
                ),
                "Half of it is enough to stay, since looks come in bursts.".to_owned(),
            ],
            name: "keen",
            when: format!("browse.count(\"{window}d\") >= {} && {no_purchase}", found.often),
            stay: Some(format!("browse.count(\"{window}d\") >= {} && {no_purchase}", found.stay)),
            label: "Looks much and has not bought",
            action: "recommend",
        });
        self.segment(&Segment {
            reasons: vec!["Everyone else who looked.".to_owned()],
            name: "looking",
            when: format!("browse.count(\"{window}d\") >= 1"),
            label: "Looking around",
            ..Segment::default()
        });
    }
}

/// Why so many days.
fn away(away: &Away, share: &str) -> Vec<String> {
    vec![
        format!(
            "{} days without a purchase: {share} of those who come back do so within {} days, {} before {}.",
            away.days,
            away.exact_days,
            percent(away.share_before),
            away.days
        ),
        format!("It stands on the {} gaps that were watched for so long.", away.n_watched),
    ]
}

fn tier_reasons(tier: &Tier) -> Vec<String> {
    let size =
        format!("{} of customers, {} of the money", percent(tier.share_of_customers), percent(tier.share_of_money));
    match &tier.from {
        Some(from) => {
            vec![format!("{size}. The break lies between {} and {}.", from.below, from.from)]
        }
        None => vec![format!("Everyone else who bought: {size}.")],
    }
}

fn tier_label(name: &str) -> &'static str {
    match name {
        "top" => "Top spending",
        "high" => "High spending",
        "middle" => "Middle spending",
        _ => "Low spending",
    }
}

fn tier_action(name: &str) -> &'static str {
    match name {
        "top" | "high" => "recommend_the_best",
        "middle" => "encourage",
        _ => "regular_offers",
    }
}

/// The ranges of a group as a condition; bounds that always hold are left out.
fn group_condition(rfm: &Rfm, group: &Group) -> String {
    let frequency = rfm.frequency.as_ref().map(|_| "score.frequency");
    let weight: Vec<&str> = frequency.into_iter().chain(rfm.money.as_ref().map(|_| "score.money")).collect();
    let parts = [
        bounds("score.recency", group.recency, (1, rfm.recency.highest())),
        bounds(&weight.join(" + "), group.weight, rfm.weights()),
    ];
    let mut parts: Vec<String> = parts.into_iter().flatten().collect();
    // Who never bought has the least of all scores, and is nobody's customer yet.
    if group.recency.0 == 1 && group.weight.0 == rfm.weights().0 {
        parts.push("purchase.count() >= 1".to_owned());
    }
    parts.join(" && ")
}

fn bounds(score: &str, (from, to): (u64, u64), (least, most): (u64, u64)) -> Vec<String> {
    if from == to && from > least && to < most {
        return vec![format!("{score} == {from}")];
    }
    let from = (from > least).then(|| format!("{score} >= {from}"));
    let to = (to < most).then(|| format!("{score} <= {to}"));
    from.into_iter().chain(to).collect()
}

/// `24 %`, `95.6 %`.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}
