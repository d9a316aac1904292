//! A report in plain words, for people who do not read rules: where the customer is and why, why nowhere earlier, and
//! what will change if nothing happens.

use std::fmt::Write;

use super::moment::Moments;
use crate::cli::paint::{Paint, Tone};
use crate::pipeline::explain::{Dimension, Interests, PastChange, Report, Segment};

/// The whole text, with a line break at its end.
pub fn text(report: &Report, paint: Paint) -> String {
    let moments = Moments::new(&report.timezone);
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes everything");
    let name = paint.tone(Tone::Strong, format!("Customer {}", report.customer_id));
    line(format!("{name} on {} ({})", moments.long(&report.at), report.timezone));
    for dimension in &report.dimensions {
        line(String::new());
        line(format!("{}: {}.", paint.tone(Tone::Name, &dimension.dimension), standing(report, dimension, &moments)));
        reasons(dimension, &moments).into_iter().for_each(|reason| line(format!("  {reason}.")));
    }
    if let Some(interests) = &report.interests {
        line(format!("\n{}", paint.tone(Tone::Strong, "What to offer")));
        offers(interests).into_iter().for_each(|offer| line(format!("  {offer}.")));
    }
    if let Some(history) = &report.history {
        line(format!("\n{}", paint.tone(Tone::Strong, "So far")));
        history.iter().for_each(|change| line(format!("  {}.", past(report, change, &moments))));
    }
    text
}

fn standing(report: &Report, dimension: &Dimension, moments: &Moments) -> String {
    let place = match (&dimension.label, &dimension.segment) {
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => "in no segment",
    };
    match &dimension.since {
        Some(since) => {
            let stay = moments.between_in_words(since, &report.at).unwrap_or_default();
            format!("{place} since {} ({stay})", moments.long(since))
        }
        None => format!("{place} from the start"),
    }
}

/// Sentences without their full stops.
fn reasons(dimension: &Dimension, moments: &Moments) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.extend(dimension.reason.clone());
    if let Some(until) = &dimension.min_stay_until {
        sentences.push(format!("Stays at least until {}, whatever happens", moments.long(until)));
    }
    let current = dimension.segments.iter().position(|segment| segment.is_current);
    let n_earlier = current.unwrap_or(dimension.segments.len());
    sentences.extend(why_not(dimension, &dimension.segments[..n_earlier], moments));
    sentences.push(match (&dimension.next, &dimension.no_change_until) {
        (Some(next), _) => {
            let to = next.label.as_ref().or(next.to.as_ref());
            let from = dimension.label.as_ref().or(dimension.segment.as_ref());
            let to = match (to, from) {
                (Some(to), _) => format!("Becomes {to}"),
                (None, Some(from)) => format!("Leaves {from}"),
                (None, None) => "Changes".to_owned(),
            };
            format!("{to} on {}, if nothing happens: {}", moments.long(&next.at), next.reason)
        }
        (None, Some(until)) => format!("Does not change before {} by time alone", moments.long(until)),
        (None, None) => "Never changes by time alone".to_owned(),
    });
    sentences
}

/// Sentences without their full stops; one at least.
fn offers(interests: &Interests) -> Vec<String> {
    let Interests { categories, brands, queries, products } = interests;
    let lists = [
        ("Looks at and buys mostly from", categories),
        ("Favours", brands),
        ("Searched for", queries),
        ("Saw or bought last", products),
    ];
    let listed = lists.into_iter().filter(|(_, names)| !names.is_empty());
    let offers: Vec<String> = listed.map(|(what, names)| format!("{what} {}", names.join(", "))).collect();
    if offers.is_empty() { vec!["Nothing is known of their interests".to_owned()] } else { offers }
}

/// Segments that the customer is not in, those for the same reason together.
fn why_not(dimension: &Dimension, segments: &[Segment], moments: &Moments) -> Vec<String> {
    let mut reasons: Vec<(Vec<&str>, String)> = Vec::new();
    // Only `min_stay` elsewhere keeps the customer from those that hold.
    for segment in segments.iter().filter(|segment| !segment.holds) {
        let obstacles = obstacles(dimension, segment, moments);
        match reasons.iter_mut().find(|(_, known)| *known == obstacles) {
            Some((names, _)) => names.push(shown(segment)),
            None => reasons.push((vec![shown(segment)], obstacles)),
        }
    }
    let would_be = segments.iter().filter(|segment| segment.holds);
    let would_be = would_be.map(|segment| format!("Would be {}: {}", shown(segment), segment.reason));
    let not = reasons.into_iter().map(|(names, obstacles)| format!("Not {}: {obstacles}", listed(&names, "or")));
    would_be.chain(not).collect()
}

fn shown(segment: &Segment) -> &str {
    segment.label.as_ref().unwrap_or(&segment.segment)
}

/// `A, B or C`.
fn listed(names: &[&str], last: &str) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// What keeps the customer out of a segment.
fn obstacles(dimension: &Dimension, segment: &Segment, moments: &Moments) -> String {
    let mut obstacles = Vec::new();
    if !segment.when.holds {
        obstacles.push(segment.reason.clone());
    }
    if let Some(only_from) = &segment.only_from {
        let label = |name: &String| dimension.segments.iter().find(|known| known.segment == *name).map(shown);
        let names: Vec<&str> = only_from.iter().map(|name| label(name).unwrap_or("no segment")).collect();
        let names = if names.is_empty() { "nowhere".to_owned() } else { listed(&names, "or") };
        obstacles.push(format!("it is entered only from {names}"));
    }
    if let Some(until) = &segment.cooldown_until {
        obstacles.push(format!("it is not entered again before {}", moments.long(until)));
    }
    obstacles.join("; ")
}

fn past(report: &Report, change: &PastChange, moments: &Moments) -> String {
    let label = |name: &Option<String>| {
        let Some(name) = name else { return "no segment".to_owned() };
        let dimension = report.dimensions.iter().find(|dimension| dimension.dimension == change.dimension);
        let segments = dimension.iter().flat_map(|dimension| &dimension.segments);
        let found = segments.into_iter().find(|segment| segment.segment == *name);
        found.and_then(|segment| segment.label.clone()).unwrap_or_else(|| name.clone())
    };
    let (from, to) = (label(&change.from), label(&change.to));
    let reason = change.reason.as_deref().unwrap_or_default();
    format!("{}, {}: from {from} to {to}: {reason}", moments.long(&change.effective_at), change.dimension)
}
