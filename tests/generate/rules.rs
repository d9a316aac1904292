//! Random rules that are right: every feature of the language, over the world's kinds and windows.

use super::condition::{Score, Writer};
use super::random::Random;
use super::world::{DAY, Theme, World, length};

/// The text of `segments.toml`.
pub fn rules(world: &World, random: &mut Random) -> String {
    let mut text = format!("timezone = \"{}\"\ncurrency = \"EUR\"\n", world.zone);
    for kind in &world.kinds {
        let custom = kind.name == "cart_add" || kind.name == "visit";
        if custom || !kind.settings.is_empty() {
            text.push_str(&format!("\n[kind.{}]\n{}\n", kind.name, kind.settings.join("\n")));
        }
    }
    for currency in &world.currencies {
        text.push_str(&rates(currency, world, random));
    }
    let mut scores: Vec<Score> = Vec::new();
    for _ in 0..random.below(3) {
        let (added, written) = score(&scores, world, random);
        text.push_str(&written);
        scores.push(added);
    }
    let n_dimensions = if world.theme == Theme::Long { 2 } else { random.between(1, 4) };
    let mut dimensions: Vec<Vec<String>> = Vec::new();
    for number in 0..n_dimensions {
        text.push_str(&format!("\n[[dimension]]\nname = \"d{number}\"\n"));
        let n_segments = random.between(1, 4);
        let names: Vec<String> = (0..n_segments).map(|segment| format!("g{segment}")).collect();
        let readable: Vec<Score> = scores.iter().filter(|score| score.after <= dimensions.len()).cloned().collect();
        for name in &names {
            text.push_str(&segment(name, &names, &dimensions, &readable, world, random));
        }
        dimensions.push(names);
    }
    text
}

fn rates(currency: &str, world: &World, random: &mut Random) -> String {
    let mut text = format!("\n[rates.{currency}]\n");
    let mut day = world.start + random.between(-30, 3) * DAY;
    for _ in 0..random.between(1, 3) {
        let date = jiff::Timestamp::from_millisecond(day).expect("a day in range").strftime("%Y-%m-%d");
        let rate = random.pick(&["0.92", "1.17335", "0.0061", "1", "0.5", "1.00005", "2.5"]);
        text.push_str(&format!("\"{date}\" = \"{rate}\"\n"));
        day += random.between(1, 20) * DAY;
    }
    text
}

/// A further score, and its text.
fn score(earlier: &[Score], world: &World, random: &mut Random) -> (Score, String) {
    let name = format!("s{}", earlier.len());
    let mut after = 0;
    let mut writer = Writer { world, random, dimensions: &[], own: None, scores: &[] };
    let (of, mut cuts) = if writer.random.chance(40) {
        let cuts: Vec<i64> = (0..writer.random.between(1, 4)).map(|_| writer.some_length()).collect();
        let mut of = writer.duration_expression();
        if writer.random.chance(15) {
            of = format!("{of} - segment.d0.age()");
            after = 1;
        }
        (of, cuts)
    } else {
        let cuts =
            (0..writer.random.between(1, 4)).map(|_| writer.random.pick(&[-20, 1, 2, 3, 5, 8, 10, 50, 100, 250]));
        let cuts: Vec<i64> = cuts.collect();
        let of = match writer.random.below(12) {
            0 => "profile.age".to_owned(),
            1 => "profile.birthday.days_until()".to_owned(),
            2 if !earlier.is_empty() => {
                let other = &earlier[writer.random.below(earlier.len())];
                after = other.after;
                format!("2 * score.{} + {}", other.name, writer.number_expression())
            }
            _ => writer.number_expression(),
        };
        (of, cuts)
    };
    let of_durations = of.contains("since") || of.contains("age()") || of.contains("gap()");
    cuts.sort_unstable();
    cuts.dedup();
    let written: Vec<String> = cuts
        .iter()
        .map(|cut| match of_durations {
            true => format!("\"{}\"", length(*cut)),
            false if *cut % 5 == 3 => format!("{cut}.5"),
            false => cut.to_string(),
        })
        .collect();
    let mut text = format!("\n[score.{name}]\nof = '{of}'\ncuts = [{}]\n", written.join(", "));
    if random.chance(40) {
        text.push_str("falling = true\n");
    }
    (Score { name, n_cuts: cuts.len(), after }, text)
}

fn segment(
    name: &str,
    names: &[String],
    dimensions: &[Vec<String>],
    scores: &[Score],
    world: &World,
    random: &mut Random,
) -> String {
    let moves = world.theme == Theme::Moves;
    let own = (dimensions.len(), names);
    let depth = if moves || random.chance(50) { 1 } else { 3 };
    let mut writer = Writer { world, random, dimensions, own: None, scores };
    let mut text = format!("\n[[dimension.segment]]\nname = \"{name}\"\nwhen = '''{}'''\n", writer.condition(depth));
    if writer.random.chance(if moves { 45 } else { 25 }) {
        writer.own = Some(own);
        let depth = writer.random.below(3);
        text.push_str(&format!("stay = '''{}'''\n", writer.condition(depth)));
    }
    if random.chance(if moves { 55 } else { 20 }) {
        text.push_str(&format!("min_stay = \"{}\"\n", some_stay(world, random)));
    }
    if random.chance(if moves { 40 } else { 15 }) {
        text.push_str(&format!("cooldown = \"{}\"\n", some_stay(world, random)));
    }
    if random.chance(if moves { 40 } else { 20 }) {
        let mut from: Vec<&str> = names.iter().map(String::as_str).filter(|_| random.chance(45)).collect();
        if random.chance(65) {
            from.push("");
        }
        if !from.is_empty() || random.chance(10) {
            text.push_str(&format!("from = {from:?}\n"));
        }
    }
    if random.chance(10) {
        text.push_str("label = \"A segment\"\naction = \"care\"\n");
    }
    text
}

fn some_stay(world: &World, random: &mut Random) -> String {
    let ms = if random.chance(50) { random.pick(&world.lengths) } else { random.pick(&world.windows) };
    length(ms)
}
