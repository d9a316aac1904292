//! A report as tables on a terminal.

use std::cmp::Reverse;
use std::fmt::Write;

use super::compared;
use super::grid::Grid;
use crate::cli::paint::{Paint, Tone};
use crate::report::model::{Dimension, Flow, Measure, Overlap, Report, Segment, Verdict};
use crate::report::said::{count, growth, length, moment, money, or_nothing, percent};

/// More pairs of dimensions than this are left to the other outputs.
const OVERLAPS_MAX: usize = 3;
/// The most frequent places and things of a segment.
const TOP: usize = 3;
/// A matrix of more segments is too wide.
const MATRIX_MAX: usize = 7;
/// Of those, so many moves are shown.
const MOVES_MAX: usize = 15;
/// Characters of a picture of sizes over time.
const SPARK_WIDTH: usize = 24;

/// The whole report; ends with a line break.
pub fn text(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    write_report(report, paint, &mut text).expect("a string takes everything");
    text
}

fn write_report(report: &Report, paint: Paint, text: &mut String) -> std::fmt::Result {
    let history = &report.history;
    let period = &report.period;
    let from = period.from.or(period.first_event);
    let what = format!(
        "{} customers, {} events, {} changes",
        count(history.customers),
        count(history.events),
        count(history.changes)
    );
    writeln!(text, "{}", paint.tone(Tone::Strong, what))?;
    writeln!(text, "{} to {} UTC, rules {}", or_nothing(from, moment), moment(period.until), report.rules_version)?;
    let window = period.value_window.0;
    writeln!(text, "value: {} {} in the {window} before the end", money(report.value), report.currency)?;
    if history.rejects > 0 {
        writeln!(text, "{} records were no events and do not count", count(history.rejects))?;
    }
    for dimension in &report.dimensions {
        write_dimension(report, dimension, paint, text)?;
    }
    if report.overlaps.len() <= OVERLAPS_MAX {
        report.overlaps.iter().try_for_each(|overlap| write_overlap(report, overlap, paint, text))?;
    } else {
        writeln!(text, "\noverlaps of {} pairs of dimensions: see --json or --html", report.overlaps.len())?;
    }
    match &report.comparison {
        Some(comparison) => compared::write(comparison, paint, text),
        None => Ok(()),
    }
}

fn write_dimension(report: &Report, dimension: &Dimension, paint: Paint, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n{}", paint.tone(Tone::Name, &dimension.name))?;
    let value = format!("value {}", report.currency);
    let growth_head = format!("in {}", report.period.growth_window.0);
    let head = ["segment", "over time", "customers", "share", &growth_head, &value, "share", "each"];
    let mut sizes = Grid::new(2, head);
    for segment in &dimension.segments {
        sizes.row(vec![
            segment.name.clone(),
            spark(dimension, segment),
            count(segment.size),
            percent(segment.share),
            or_nothing(segment.growth, growth),
            money(segment.value),
            or_nothing(segment.value_share, percent),
            or_nothing(segment.value_per_customer, money),
        ]);
    }
    sizes.write(paint, text);
    text.push('\n');
    let mut stays = Grid::new(
        1,
        ["segment", "entered", "left", "leave in 30 d", "half stay", "90 % stay", "come back", "orders", "order"],
    );
    for segment in &dimension.segments {
        stays.row(vec![
            segment.name.clone(),
            count(segment.entered),
            count(segment.left),
            or_nothing(segment.flow, percent),
            or_longer(segment, segment.dwell.median.map(length)),
            or_longer(segment, segment.dwell.p90.map(length)),
            or_nothing(segment.flaps.rate, percent),
            count(segment.buying.orders),
            or_nothing(segment.buying.order_value, money),
        ]);
    }
    stays.write(paint, text);
    write_moves(dimension, paint, text)?;
    write_targets(dimension, paint, text)?;
    write_habits(dimension, text)
}

/// A length that was not reached is longer than what was seen; of no stay there is none.
fn or_longer(segment: &Segment, said: Option<String>) -> String {
    match said {
        Some(said) => said,
        None if segment.dwell.stays > 0 => "longer".to_owned(),
        None => or_nothing(None, |(): ()| String::new()),
    }
}

/// Sizes over time, each against the largest.
fn spark(dimension: &Dimension, segment: &Segment) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let sizes: Vec<u64> =
        dimension.series.iter().map(|sample| sample.sizes.get(&segment.name).copied().unwrap_or(0)).collect();
    let max = sizes.iter().copied().max().unwrap_or(0);
    let width = SPARK_WIDTH.min(sizes.len());
    let bar = |index: usize| {
        // Of several samples in one place, the last one shows.
        let size = sizes[((index + 1) * sizes.len() / width).saturating_sub(1)];
        if size == 0 { ' ' } else { BARS[(size * 7 / max.max(1)) as usize] }
    };
    (0..width).map(bar).collect()
}

fn write_moves(dimension: &Dimension, paint: Paint, text: &mut String) -> std::fmt::Result {
    if dimension.flows.is_empty() {
        return writeln!(text, "\n  nobody moved");
    }
    text.push('\n');
    if dimension.segments.len() > MATRIX_MAX {
        return write_list_of_moves(dimension, paint, text);
    }
    let to = dimension.segments.iter().map(|segment| format!("→ {}", segment.name)).collect::<Vec<_>>();
    let mut grid = Grid::new(1, std::iter::once("moves").chain(to.iter().map(|to| &**to)));
    for from in &dimension.segments {
        let moves = dimension.segments.iter().map(|to| {
            let flow = dimension.flows.iter().find(|flow| flow.from == from.name && flow.to == to.name);
            flow.map_or("·".to_owned(), |flow| count(flow.moves))
        });
        grid.row(std::iter::once(from.name.clone()).chain(moves).collect());
    }
    grid.write(paint, text);
    Ok(())
}

/// The most frequent moves, where a matrix would be wider than a terminal.
fn write_list_of_moves(dimension: &Dimension, paint: Paint, text: &mut String) -> std::fmt::Result {
    let mut flows: Vec<&Flow> = dimension.flows.iter().collect();
    flows.sort_by_key(|flow| Reverse(flow.moves));
    let mut grid = Grid::new(2, ["from", "to", "moves", "customers"]);
    for flow in flows.iter().take(MOVES_MAX) {
        grid.row(vec![flow.from.clone(), flow.to.clone(), count(flow.moves), count(flow.customers)]);
    }
    grid.write(paint, text);
    let n_more = flows.len().saturating_sub(MOVES_MAX);
    if n_more > 0 { writeln!(text, "  and {n_more} rarer ones: see --json or --html") } else { Ok(()) }
}

/// Ranks, and the tests that are passed or failed.
fn write_targets(dimension: &Dimension, paint: Paint, text: &mut String) -> std::fmt::Result {
    text.push('\n');
    let mut grid = Grid::new(1, ["target", "rank", "score", "measurable", "reachable", "stable", "large enough"]);
    for segment in &dimension.segments {
        let (Some(attractiveness), Some(tests)) = (&segment.attractiveness, &segment.tests) else { continue };
        let mut row =
            vec![segment.name.clone(), attractiveness.rank.to_string(), format!("{:.0}", attractiveness.score.0)];
        row.extend(tests.named().map(|(_, verdict)| passed(verdict).to_owned()));
        grid.row(row);
    }
    grid.write(paint, text);
    for segment in &dimension.segments {
        for (name, verdict) in segment.tests.iter().flat_map(|tests| tests.named()) {
            if verdict.passes == Some(false) {
                let why = verdict.measures.iter().filter(|measure| measure.passes == Some(false)).map(Measure::said);
                let why = why.collect::<Vec<_>>().join("; ");
                writeln!(text, "  {} is not {name}: {why}", paint.tone(Tone::Change, &segment.name))?;
            }
        }
    }
    Ok(())
}

fn passed(verdict: &Verdict) -> &'static str {
    match verdict.passes {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "–",
    }
}

/// Where and what, a line for each segment that is somewhere or buys something.
fn write_habits(dimension: &Dimension, text: &mut String) -> std::fmt::Result {
    let mut lines = String::new();
    for segment in &dimension.segments {
        let named = |(name, share): (&str, String)| format!("{name} {share}");
        let regions = segment.regions.iter().take(TOP);
        let regions: Vec<String> =
            regions.map(|region| named((region.name.as_deref().unwrap_or("unknown"), percent(region.share)))).collect();
        let mut parts: Vec<String> =
            if regions.is_empty() { Vec::new() } else { vec![format!("in {}", regions.join(", "))] };
        for habits in &segment.habits {
            let values = habits.values.iter().take(TOP);
            let values: Vec<String> =
                values.map(|habit| named((&habit.name, or_nothing(habit.buyers_share, percent)))).collect();
            parts.push(format!("{}: {}", habits.field, values.join(", ")));
        }
        if !parts.is_empty() {
            writeln!(lines, "  {}: {}", segment.name, parts.join("; "))?;
        }
    }
    if !lines.is_empty() {
        write!(text, "\n{lines}")?;
    }
    Ok(())
}

fn write_overlap(report: &Report, overlap: &Overlap, paint: Paint, text: &mut String) -> std::fmt::Result {
    let [one, other] = &overlap.dimensions;
    let (Some(rows), Some(columns)) = (report.dimension(one), report.dimension(other)) else { return Ok(()) };
    writeln!(text, "\n{}", paint.tone(Tone::Name, format!("{one} × {other}")))?;
    let mut grid =
        Grid::new(1, std::iter::once("customers").chain(columns.segments.iter().map(|segment| &*segment.name)));
    for row in &rows.segments {
        let cells = columns.segments.iter().map(|column| {
            let cell =
                overlap.cells.iter().find(|cell| cell.segments[0] == row.name && cell.segments[1] == column.name);
            cell.map_or("·".to_owned(), |cell| count(cell.customers))
        });
        grid.row(std::iter::once(row.name.clone()).chain(cells).collect());
    }
    grid.write(paint, text);
    Ok(())
}
