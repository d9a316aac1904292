//! Who moved from where to where: a Sankey picture and a table.
//!
//! Heights are in pixels and widths in shares, so that the picture fits any screen while names stay as large as they
//! are: only the ribbons between the two sides are drawn, names are text beside them.

use std::fmt::{self, Write};

use super::{Text, colour, open_table, shown};
use crate::report::model::{Dimension, Segment};
use crate::report::said::count;

/// All ribbons together are so high.
const RIBBONS_PX: f64 = 280.0;
/// A side's place takes at least so much: two lines of text.
const PLACE_PX: f64 = 36.0;
const GAP_PX: f64 = 6.0;
/// The drawing's own width; it is stretched to the screen's.
const WIDTH: f64 = 100.0;

/// A segment's place on one side.
struct Place {
    top: f64,
    /// Of the ribbons.
    height: f64,
    moves: u64,
    /// So much of it has ribbons already.
    used: f64,
}

pub fn moves(dimension: &Dimension, html: &mut String) -> fmt::Result {
    html.push_str("<h3>Who moved where</h3>\n");
    let total: u64 = dimension.flows.iter().map(|flow| flow.moves).sum();
    if total == 0 {
        html.push_str("<p>Nobody moved in the period.</p>\n");
        return Ok(());
    }
    picture(dimension, total, html)?;
    table(dimension, html)
}

fn picture(dimension: &Dimension, total: u64, html: &mut String) -> fmt::Result {
    let scale = RIBBONS_PX / total as f64;
    let sum = |segment: &Segment, is_from: bool| -> u64 {
        let ours = dimension.flows.iter().filter(|flow| *if is_from { &flow.from } else { &flow.to } == segment.name);
        ours.map(|flow| flow.moves).sum()
    };
    let mut left = places(dimension.segments.iter().map(|segment| sum(segment, true)), scale);
    let mut right = places(dimension.segments.iter().map(|segment| sum(segment, false)), scale);
    let bottom =
        |places: &[Place]| places.iter().map(|place| place.top + place.height.max(PLACE_PX)).fold(0.0, f64::max);
    let height = bottom(&left).max(bottom(&right));
    let said = format!("{} moves between the segments of {}", count(total), dimension.name);
    html.push_str("<figure>\n<div class=\"heads\"><span>from</span><span></span><span>to</span></div>\n");
    writeln!(html, "<div class=\"sankey\" style=\"height:{height:.0}px\">")?;
    side(dimension, &left, "side from", html)?;
    write!(html, "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" preserveAspectRatio=\"none\" role=\"img\" ")?;
    writeln!(html, "aria-label=\"{0}\"><title>{0}</title>", Text(&said))?;
    for (from, segment) in dimension.segments.iter().enumerate() {
        for (to, target) in dimension.segments.iter().enumerate() {
            let flow = dimension.flows.iter().find(|flow| flow.from == segment.name && flow.to == target.name);
            let Some(flow) = flow else { continue };
            let thick = flow.moves as f64 * scale;
            let path = ribbon(left[from].take(thick), right[to].take(thick), thick);
            let said = format!(
                "{} → {}: {} moves of {} customers",
                shown(segment),
                shown(target),
                count(flow.moves),
                count(flow.customers)
            );
            writeln!(
                html,
                "<path d=\"{path}\" fill=\"{}\"><title>{}</title></path>",
                colour(dimension, from),
                Text(&said)
            )?;
        }
    }
    html.push_str("</svg>\n");
    side(dimension, &right, "side to", html)?;
    html.push_str(
        "</div>\n<figcaption>Moves in the period; the thicker, the more. Colours are those of where the move began.\
                   </figcaption>\n</figure>\n",
    );
    Ok(())
}

fn places(moves: impl Iterator<Item = u64>, scale: f64) -> Vec<Place> {
    let mut top = 0.0;
    let place = |moves: u64| {
        let height = moves as f64 * scale;
        let place = Place { top, height, moves, used: 0.0 };
        if moves > 0 {
            top += height.max(PLACE_PX) + GAP_PX;
        }
        place
    };
    moves.map(place).collect()
}

impl Place {
    /// Where the next ribbon begins.
    fn take(&mut self, thick: f64) -> f64 {
        // In the middle of its place when the name is higher than the ribbons.
        let start = self.top + (PLACE_PX - self.height).max(0.0) / 2.0 + self.used;
        self.used += thick;
        start
    }
}

/// From the left edge at `y0` to the right one at `y1`.
fn ribbon(y0: f64, y1: f64, thick: f64) -> String {
    let (middle, thick) = (WIDTH / 2.0, thick.max(0.75));
    let (end0, end1) = (y0 + thick, y1 + thick);
    format!(
        "M0 {y0:.1}C{middle} {y0:.1} {middle} {y1:.1} {WIDTH} {y1:.1}V{end1:.1}C{middle} {end1:.1} {middle} {end0:.1} 0 {end0:.1}Z"
    )
}

fn side(dimension: &Dimension, places: &[Place], class: &str, html: &mut String) -> fmt::Result {
    writeln!(html, "<div class=\"{class}\">")?;
    for (segment, place) in dimension.segments.iter().zip(places).filter(|(_, place)| place.moves > 0) {
        let top = place.top + (place.height - PLACE_PX).max(0.0) / 2.0;
        let name = Text(shown(segment));
        writeln!(
            html,
            "<div style=\"top:{top:.0}px\" title=\"{name}\"><b>{name}</b> <span>{}</span></div>",
            count(place.moves)
        )?;
    }
    html.push_str("</div>\n");
    Ok(())
}

fn table(dimension: &Dimension, html: &mut String) -> fmt::Result {
    html.push_str("<details><summary>Moves as a table</summary>\n");
    open_table("Moves from (rows) to (columns)", "", html)?;
    html.push_str("<th scope=\"col\" class=\"text\">from</th>");
    for segment in &dimension.segments {
        write!(html, "<th scope=\"col\">{}</th>", Text(shown(segment)))?;
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for from in &dimension.segments {
        write!(html, "<tr><th scope=\"row\">{}</th>", Text(shown(from)))?;
        for to in &dimension.segments {
            let flow = dimension.flows.iter().find(|flow| flow.from == from.name && flow.to == to.name);
            write!(html, "<td>{}</td>", flow.map_or("·".to_owned(), |flow| count(flow.moves)))?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div></details>\n");
    Ok(())
}
