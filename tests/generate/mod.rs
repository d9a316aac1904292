//! Random cases from a seed: rules that are right and histories that sit on their edges. The same seed gives the same case.
//!
//! Wider than the given cases: edges of the duplicate window, defaults in filters, currencies, large amounts, odd time
//! zones, more buckets than a series keeps, long histories, several files, lines that are no event.

mod condition;
mod history;
mod ladder;
mod random;
mod record;
mod rules;
mod world;

use random::Random;
use world::{DAY, Theme, World};

pub struct Case {
    /// `segments.toml`.
    pub rules: String,
    /// Events as JSON lines, a topic each.
    pub files: Vec<String>,
    /// In ms, like the grace.
    pub until: Option<i64>,
    pub grace: i64,
}

/// Of every third case, from choices of their own, so that the rest of a case is what it is without.
fn interests(seed: u64) -> String {
    if !seed.is_multiple_of(3) {
        return String::new();
    }
    let mut random = Random::new(seed ^ 0x1F7E);
    let mut limit = |name: &str| format!("{name} = {}\n", random.pick(&[0, 1, 2, 3, 5, 32]));
    format!("\n[interests]\n{}", ["categories", "brands", "queries", "products"].map(&mut limit).concat())
}

pub fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let theme = match seed % 20 {
        0..6 => Theme::Mixed,
        6..10 => Theme::Disorder,
        10..12 => Theme::Calendar,
        12..15 => Theme::Money,
        15..17 => Theme::Moves,
        17 => Theme::Rejects,
        18 => Theme::Long,
        _ if seed % 60 == 59 => Theme::Crowd,
        _ => Theme::Many,
    };
    let world = World::new(theme, &mut random);
    let mut rules =
        if theme == Theme::Crowd { ladder::rules(&world, &mut random) } else { rules::rules(&world, &mut random) };
    rules.push_str(&interests(seed));
    let history = history::history(&world, &mut random);
    let end = random.pick(&[400, 500, 60, 10]) * DAY + random.between(0, DAY);
    let until = random.chance(85).then(|| world.start + end);
    Case { rules, files: history.into_files(until, &mut random), until, grace: world.grace }
}
