//! Tables of a dimension's segments: size and value, and how long customers stay.

use std::fmt::{self, Write};

use super::{Text, open_table, shown, width};
use crate::report::model::{Dimension, Dwell, Length, Report, Segment, Share};
use crate::report::said::{NOTHING, count, growth, length, money, or_nothing, percent};

/// A table's beginning, up to its body; the heads of columns after the first.
fn open(caption: &str, heads: &[&str], html: &mut String) -> fmt::Result {
    open_table(caption, "", html)?;
    html.push_str("<th scope=\"col\" class=\"text\">segment</th>");
    for head in heads {
        write!(html, "<th scope=\"col\">{}</th>", Text(head))?;
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    Ok(())
}

fn close(html: &mut String) {
    html.push_str("</tbody></table></div>\n");
}

fn bar(said: &str, share: Option<Share>, html: &mut String) -> fmt::Result {
    let width = width(share.map_or(0.0, |share| share.0));
    write!(html, "<td>{said}<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{width}\"></i></span></td>")
}

/// Who is there and what they are worth.
pub fn sizes(report: &Report, dimension: &Dimension, html: &mut String) -> fmt::Result {
    html.push_str("<h3>Size and value</h3>\n");
    let value = format!("value, {}", report.currency);
    let grown = format!("growth in {}", report.period.growth_window.0);
    let heads = ["customers", "share of customers", &grown, &value, "share of value", "value each", "orders", "order"];
    open("At the end of the period", &heads, html)?;
    for segment in &dimension.segments {
        row_head(segment, html)?;
        write!(html, "<td>{}</td>", count(segment.size))?;
        bar(&percent(segment.share), Some(segment.share), html)?;
        write!(html, "<td>{}</td><td>{}</td>", or_nothing(segment.growth, growth), money(segment.value))?;
        bar(&or_nothing(segment.value_share, percent), segment.value_share, html)?;
        let each = or_nothing(segment.value_per_customer, money);
        let order = or_nothing(segment.buying.order_value, money);
        writeln!(html, "<td>{each}</td><td>{}</td><td>{order}</td></tr>", count(segment.buying.orders))?;
    }
    close(html);
    Ok(())
}

fn row_head(segment: &Segment, html: &mut String) -> fmt::Result {
    write!(html, "<tr><th scope=\"row\">{}</th>", Text(shown(segment)))
}

/// How long they stay, how many leave, who comes back.
pub fn stays(report: &Report, dimension: &Dimension, html: &mut String) -> fmt::Result {
    html.push_str("<h3>How long customers stay</h3>\n");
    let back = format!("back in {}", report.period.flap_window.0);
    let heads = ["entered", "left", "leave in 30 days", "half stay", "90 % stay", "stays: half, 90 %", &back];
    let caption = "The strong bar is what half of all stays last, the pale one what nine in ten do; a bar to the very end is \
                   longer than anything seen.";
    open(caption, &heads, html)?;
    let longest = longest(dimension);
    for segment in &dimension.segments {
        let dwell = &segment.dwell;
        row_head(segment, html)?;
        write!(html, "<td>{}</td><td>{}</td>", count(segment.entered), count(segment.left))?;
        write!(html, "<td>{}</td>", or_nothing(segment.flow, percent))?;
        write!(html, "<td>{}</td><td>{}</td><td>", or_longer(dwell, dwell.median), or_longer(dwell, dwell.p90))?;
        if dwell.stays > 0 {
            let part = |stay: Option<Length>| width(stay.map_or(1.0, |stay| stay.0.0 as f64 / longest));
            let (median, p90) = (part(dwell.median), part(dwell.p90));
            write!(
                html,
                "<span class=\"stay\" aria-hidden=\"true\"><i style=\"width:{p90}\"></i><i style=\"width:{median}\"></i></span>"
            )?;
        }
        writeln!(html, "</td><td>{}</td></tr>", or_nothing(segment.flaps.rate, percent))?;
    }
    close(html);
    Ok(())
}

/// What is not reached is longer than what was seen; of no stay there is none.
fn or_longer(dwell: &Dwell, stay: Option<Length>) -> String {
    match stay {
        Some(stay) => length(stay),
        None if dwell.stays > 0 => "longer".to_owned(),
        None => NOTHING.to_owned(),
    }
}

/// The longest bar with an end, in milliseconds, and a little room behind it.
fn longest(dimension: &Dimension) -> f64 {
    let ends = dimension.segments.iter().flat_map(|segment| [segment.dwell.median, segment.dwell.p90]).flatten();
    1.15 * ends.map(|stay| stay.0.0).max().unwrap_or(0).max(1) as f64
}
