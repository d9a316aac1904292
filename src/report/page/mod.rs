//! A report as one page of HTML that needs nothing else: no server, no network, no script, no font of somebody's. Pictures
//! are drawn here, each beside a table with its numbers; it reads well on a phone and on paper, by day and by night.
//!
//! What always holds: a text of the shop's (a segment, a country, a brand) is written escaped; nothing in the page refers
//! to anything outside of it.

mod compared;
mod cross;
mod curves;
mod moves;
mod segments;
mod shares;
mod style;
mod targets;

use std::fmt::{self, Write};

use super::model::{Dimension, Report, Segment};
use super::said::{count, moment, money, or_nothing};

/// The page of a report.
pub fn page(report: &Report) -> String {
    let mut html = String::new();
    write_page(report, &mut html).expect("a string takes everything");
    html
}

fn write_page(report: &Report, html: &mut String) -> fmt::Result {
    open(html, "Segments")?;
    header(report, html)?;
    html.push_str("<main>\n");
    for (index, dimension) in report.dimensions.iter().enumerate() {
        write_dimension(report, index, dimension, html)?;
    }
    cross::overlaps(report, html)?;
    if let Some(comparison) = &report.comparison {
        compared::comparison(comparison, html)?;
    }
    notes(report, html)?;
    html.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

/// Everything up to the body's first element.
fn open(html: &mut String, title: &str) -> fmt::Result {
    html.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
    writeln!(html, "<title>{}</title>", Text(title))?;
    writeln!(html, "<style>\n{}</style>\n</head>\n<body>", style::STYLE)
}

fn header(report: &Report, html: &mut String) -> fmt::Result {
    let (history, period) = (&report.history, &report.period);
    html.push_str("<header>\n<h1>How good are the segments?</h1>\n");
    let from = or_nothing(period.from.or(period.first_event), moment);
    writeln!(html, "<p>{from} to {} (UTC), rules {}</p>", moment(period.until), Text(&report.rules_version))?;
    html.push_str("<dl class=\"tiles\">\n");
    let findings = match report.findings.len() {
        0 => "none".to_owned(),
        n => count(n as u64),
    };
    for (name, value) in [
        ("customers", count(history.customers)),
        ("events", count(history.events)),
        ("changes of segment", count(history.changes)),
        (&*format!("{} in {}", report.currency, period.value_window.0), money(report.value)),
        ("failed tests", findings),
    ] {
        writeln!(html, "<div><dt>{}</dt><dd>{value}</dd></div>", Text(name))?;
    }
    html.push_str("</dl>\n");
    if history.rejects > 0 {
        writeln!(html, "<p>{} records were no events and do not count.</p>", count(history.rejects))?;
    }
    html.push_str("<nav aria-label=\"Dimensions\"><ul>\n");
    for (index, dimension) in report.dimensions.iter().enumerate() {
        writeln!(html, "<li><a href=\"#d{index}\">{}</a></li>", Text(&dimension.name))?;
    }
    if !report.overlaps.is_empty() {
        html.push_str("<li><a href=\"#overlaps\">overlaps</a></li>\n");
    }
    if report.comparison.is_some() {
        html.push_str("<li><a href=\"#comparison\">comparison</a></li>\n");
    }
    html.push_str("<li><a href=\"#notes\">what the numbers mean</a></li>\n</ul></nav>\n</header>\n");
    Ok(())
}

fn write_dimension(report: &Report, index: usize, dimension: &Dimension, html: &mut String) -> fmt::Result {
    let name = Text(&dimension.name);
    writeln!(html, "<section id=\"d{index}\" aria-labelledby=\"h{index}\">\n<h2 id=\"h{index}\">{name}</h2>")?;
    curves::curves(dimension, html)?;
    shares::shares(dimension, html)?;
    segments::sizes(report, dimension, html)?;
    targets::targets(dimension, html)?;
    moves::moves(dimension, html)?;
    segments::stays(report, dimension, html)?;
    cross::regions(dimension, html)?;
    cross::habits(report, dimension, html)?;
    html.push_str("</section>\n");
    Ok(())
}

fn notes(report: &Report, html: &mut String) -> fmt::Result {
    let period = &report.period;
    html.push_str("<section id=\"notes\" aria-labelledby=\"hn\">\n<h2 id=\"hn\">What the numbers mean</h2>\n<dl class=\"notes\">\n");
    let notes = [
        (
            "Value",
            format!(
                "Purchases less refunds in {} in the {} before the end, of the customers who are in the segment at the end.",
                report.currency, period.value_window.0
            ),
        ),
        ("Growth", format!("Size at the end against the size {} before.", period.growth_window.0)),
        (
            "Leave in 30 days",
            "How many leave, for each customer who is there, in 30 days; above 100 % most stay less than 30 days."
                .to_owned(),
        ),
        (
            "Half stay, 90 % stay",
            "Half of all stays, and nine in ten, are over by then. Stays that are not over yet count as \
          at least so long (Kaplan–Meier); “longer” means longer than anything seen."
                .to_owned(),
        ),
        (
            "Come back",
            format!("Of those who left long enough ago to know, how many were back within {}.", period.flap_window.0),
        ),
        (
            "Score",
            "Size, value, growth and stability, each from 0 to 100, by the weights in [report.weights] of the rules \
          file."
                .to_owned(),
        ),
        (
            "Tests",
            "Measurable: what the rules read is known. Reachable: customers have a contact and consent. Stable: few \
          leave, and few of those come back soon. Large enough: in customers and in money. The bounds stand in \
          [report.bounds] of the rules file."
                .to_owned(),
        ),
        ("Bought", "By purchases in the period, of the customers who are in the segment at the end.".to_owned()),
    ];
    for (name, note) in notes {
        writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", Text(&note))?;
    }
    html.push_str("</dl>\n</section>\n");
    Ok(())
}

/// What people call a segment.
fn shown(segment: &Segment) -> &str {
    segment.label.as_deref().unwrap_or(&segment.name)
}

/// The colour of a segment's ribbons and bands, from 0; none stands last and is grey.
fn colour(dimension: &Dimension, index: usize) -> String {
    const N_COLOURS: usize = 12;
    if index + 1 == dimension.segments.len() {
        "var(--none)".to_owned()
    } else {
        format!("var(--c{})", index % N_COLOURS)
    }
}

/// The beginning of a table that may be wider than a phone, up to the first head's cell.
fn open_table(caption: &str, class: &str, html: &mut String) -> fmt::Result {
    // Above it and not its caption, which would be as wide as the table.
    writeln!(html, "<p class=\"quiet\">{}</p>", Text(caption))?;
    write!(html, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">", Text(caption))?;
    writeln!(html, "<table class=\"{class}\">\n<thead><tr>")
}

/// A text in HTML. A number stays on one line with its thousands and its percent sign.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = ' ';
        let mut characters = self.0.chars().peekable();
        while let Some(character) = characters.next() {
            let after = characters.peek().copied().unwrap_or(' ');
            match character {
                ' ' if before.is_ascii_digit() && (after == '%' || after.is_ascii_digit()) => f.write_str("&nbsp;")?,
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
            before = character;
        }
        Ok(())
    }
}

/// A part of something, in percent for a style; nothing is shorter than nothing or longer than all.
fn width(share: f64) -> String {
    format!("{:.2}%", (share * 100.0).clamp(0.0, 100.0))
}
