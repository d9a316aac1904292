//! Warnings are never wrong: over all the given cases, what is said to never hold never does, what is said to always
//! hold always does, and nobody comes to a segment that is said to be out of reach.

mod listing;

use std::collections::BTreeSet;
use std::sync::Arc;

use dormouse::config::rules;
use dormouse::engine::{Change, Progress, Shard};
use dormouse::event::{Decoder, Format, Instant, Span};
use dormouse::rules::Plan;
use dormouse::rules::diagnostic::{Code, Diagnostic};
use listing::case_folders;

const UNTIL: Instant = Instant(1_811_808_000_000);

fn changes(plan: &Arc<Plan>, events: &str) -> Vec<Change> {
    let decoder = Decoder::new(&plan.schema);
    let mut shard = Shard::new(plan.clone());
    let mut changes = Vec::new();
    let mut latest = Instant(i64::MIN);
    for line in events.lines() {
        let event = decoder.decode(Format::Json, line.as_bytes(), None).expect("the cases' events are acceptable");
        if event.time > UNTIL {
            continue;
        }
        latest = latest.max(event.time);
        shard.apply(&event, latest - Span(5_000), &mut changes);
    }
    while shard.advance(UNTIL, 1_000, &mut changes) == Progress::More {}
    changes
}

/// The last `name = "…"` after the last `header`, up to a place.
fn name_before<'a>(text: &'a str, end: usize, header: &str) -> &'a str {
    let end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    let start = text[..end].rfind(header).expect("it stands in a table");
    let name = text[start..].lines().find_map(|line| line.strip_prefix("name = \"")).expect("the table has a name");
    name.trim_end_matches('"')
}

fn source(diagnostic: &Diagnostic) -> String {
    let text = &diagnostic.place.file.text[diagnostic.place.span.clone()];
    let is_wrapped = text.starts_with('(') && text.ends_with(')');
    if is_wrapped { text[1..text.len() - 1].to_owned() } else { text.to_owned() }
}

#[test]
fn no_case_contradicts_a_warning() {
    let (mut n_unreachable, mut n_constant, mut n_seen) = (0, 0, 0);
    for case in case_folders() {
        let text = std::fs::read_to_string(case.join("segments.toml")).expect("a case has rules");
        let loaded = rules::load_text("segments.toml", &text).expect("the cases' rules are right");
        let mut unreachable = BTreeSet::new();
        let mut constant = Vec::new();
        for warning in &loaded.warnings {
            let at = warning.place.span.start;
            match warning.code {
                Code::Unreachable | Code::TierOrder => {
                    let dimension = name_before(&text, at, "[[dimension]]\n");
                    unreachable.insert((dimension, name_before(&text, at, "[[dimension.segment]]\n")));
                }
                Code::AlwaysHolds => constant.push((source(warning), true)),
                Code::NeverHolds => constant.push((source(warning), false)),
                _ => {}
            }
        }
        n_unreachable += unreachable.len();
        n_constant += constant.len();
        let plan = Arc::new(loaded.plan);
        let events = std::fs::read_to_string(case.join("events.jsonl")).expect("the case has events");
        for change in changes(&plan, &events) {
            let dimension = plan.dimension(change.dimension);
            let to = plan.segment_name(change.dimension, change.to);
            assert!(!unreachable.contains(&(&*dimension.name, to)), "{}: {change:?}", case.display());
            for evidence in &change.evidence {
                let shown = &*plan.comparison(evidence.comparison).text;
                if let Some((_, holds)) = constant.iter().find(|(text, _)| text == shown) {
                    n_seen += 1;
                    assert_eq!(evidence.holds, *holds, "{}: {shown}", case.display());
                }
            }
        }
    }
    // Else the cases would show nothing.
    assert!(n_unreachable > 30 && n_constant > 200 && n_seen > 100, "{n_unreachable} {n_constant} {n_seen}");
}
