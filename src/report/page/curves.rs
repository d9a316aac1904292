//! Sizes over time: a small curve for each segment, each against its own largest, and a table.

use std::fmt::{self, Write};

use super::{Text, open_table, shown};
use crate::report::model::{Dimension, Segment};
use crate::report::said::{count, growth, moment, or_nothing, percent};

/// The table has about so many rows; a longer series is thinned.
const ROWS_MAX: usize = 60;
/// The drawing's own units.
const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 40.0;

pub fn curves(dimension: &Dimension, html: &mut String) -> fmt::Result {
    html.push_str("<h3>Size over time</h3>\n<figure>\n<div class=\"curves\">\n");
    for segment in &dimension.segments {
        curve(dimension, segment, html)?;
    }
    let [first, last] =
        [dimension.series.first(), dimension.series.last()].map(|one| or_nothing(one, |one| moment(one.at)));
    write!(html, "</div>\n<figcaption>Customers in each segment from {first} to {last} (UTC). ")?;
    html.push_str(
        "Each curve is drawn against its own largest size; below it growth and share of all customers at the end.",
    );
    html.push_str("</figcaption>\n</figure>\n");
    numbers(dimension, html)
}

fn sizes(dimension: &Dimension, name: &str) -> Vec<u64> {
    dimension.series.iter().map(|sample| sample.sizes.get(name).copied().unwrap_or(0)).collect()
}

fn curve(dimension: &Dimension, segment: &Segment, html: &mut String) -> fmt::Result {
    let sizes = sizes(dimension, &segment.name);
    let max = sizes.iter().copied().max().unwrap_or(0);
    let name = shown(segment);
    let said = format!("{name}: {} customers at the end, at most {}", count(segment.size), count(max));
    writeln!(html, "<div class=\"curve\"><b>{}</b> <span class=\"now\">{}</span>", Text(name), count(segment.size))?;
    let line = line(&sizes, max);
    write!(html, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" ")?;
    write!(html, "aria-label=\"{0}\"><title>{0}</title>", Text(&said))?;
    write!(html, "<path class=\"area\" d=\"{line} V{HEIGHT} H0 Z\"/><path class=\"line\" d=\"{line}\"/></svg>")?;
    let growth = or_nothing(segment.growth, growth);
    writeln!(html, "<div class=\"ends\"><span>{growth}</span><span>{}</span></div></div>", percent(segment.share))
}

fn line(sizes: &[u64], max: u64) -> String {
    let steps = sizes.len().saturating_sub(1).max(1) as f64;
    // A point of room above for the stroke.
    let y = |size: u64| HEIGHT - 1.0 - (HEIGHT - 3.0) * size as f64 / max.max(1) as f64;
    let mut path = String::new();
    for (index, size) in sizes.iter().enumerate() {
        let x = WIDTH * index as f64 / steps;
        let command = if index == 0 { 'M' } else { 'L' };
        write!(path, "{command}{x:.2} {:.2}", y(*size)).expect("a string takes everything");
    }
    // One sample is a level line.
    if sizes.len() == 1 {
        write!(path, "H{WIDTH}").expect("a string takes everything");
    }
    path
}

fn numbers(dimension: &Dimension, html: &mut String) -> fmt::Result {
    html.push_str("<details><summary>Sizes as a table</summary>\n");
    open_table("Customers over time (UTC)", "", html)?;
    html.push_str("<th scope=\"col\" class=\"text\">at</th>");
    for segment in &dimension.segments {
        write!(html, "<th scope=\"col\">{}</th>", Text(shown(segment)))?;
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let step = dimension.series.len().div_ceil(ROWS_MAX).max(1);
    let last = dimension.series.len().saturating_sub(1);
    for sample in
        dimension.series.iter().enumerate().filter(|(index, _)| (last - index).is_multiple_of(step)).map(|(_, one)| one)
    {
        write!(html, "<tr><th scope=\"row\">{}</th>", moment(sample.at))?;
        for segment in &dimension.segments {
            write!(html, "<td>{}</td>", count(sample.sizes.get(&segment.name).copied().unwrap_or(0)))?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div></details>\n");
    Ok(())
}
