//! Tables whose cells are shaded by how much is in them: segments by region, by what was bought, and two dimensions
//! against each other.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::{Text, open_table, shown};
use crate::report::model::{Dimension, Report, Segment};
use crate::report::said::{NOTHING, count, money, percent};

/// Columns of a table; the rest is drawn together.
const COLUMNS_MAX: usize = 8;

/// More pairs of dimensions than this are folded up.
const OPEN_MAX: usize = 6;

/// A cell's text and how dark it is, from 0 to 1.
struct Cell {
    said: String,
    share: Option<f64>,
}

struct Heat<'a> {
    caption: String,
    corner: &'a str,
    columns: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
}

impl Heat<'_> {
    fn write(&self, html: &mut String) -> fmt::Result {
        open_table(&self.caption, "heat", html)?;
        write!(html, "<th scope=\"col\" class=\"text\">{}</th>", Text(self.corner))?;
        for column in &self.columns {
            write!(html, "<th scope=\"col\">{}</th>", Text(column))?;
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for (name, cells) in &self.rows {
            write!(html, "<tr><th scope=\"row\">{}</th>", Text(name))?;
            for Cell { said, share } in cells {
                match share {
                    Some(share) if *share > 0.0 => {
                        let percent = (6.0 + 86.0 * share.min(1.0)).round();
                        // Where black text, by day, and white text, by night, would have too little contrast.
                        let day = if percent > 86.0 { " day" } else { "" };
                        let night = if percent > 62.0 { " night" } else { "" };
                        let alpha = percent / 100.0;
                        write!(html, "<td class=\"cell{day}{night}\" style=\"--a:{alpha:.2}\">{said}</td>")?;
                    }
                    _ => write!(html, "<td>{said}</td>")?,
                }
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table></div>\n");
        Ok(())
    }
}

/// The names that most have, and whether there are more.
fn most(totals: BTreeMap<&str, i128>) -> (Vec<String>, bool) {
    let mut names: Vec<(&str, i128)> = totals.into_iter().collect();
    // Stable: of as much, the order of names.
    names.sort_by_key(|(_, total)| std::cmp::Reverse(*total));
    let has_more = names.len() > COLUMNS_MAX;
    (names.into_iter().take(COLUMNS_MAX).map(|(name, _)| name.to_owned()).collect(), has_more)
}

const UNKNOWN: &str = "unknown";

/// Where each segment's customers are.
pub fn regions(dimension: &Dimension, html: &mut String) -> fmt::Result {
    let mut totals: BTreeMap<&str, i128> = BTreeMap::new();
    for region in dimension.segments.iter().flat_map(|segment| &segment.regions) {
        *totals.entry(region.name.as_deref().unwrap_or(UNKNOWN)).or_default() += i128::from(region.customers);
    }
    if totals.is_empty() {
        return Ok(());
    }
    let (mut columns, has_more) = most(totals);
    let cells = |segment: &Segment| {
        let is_shown = |name: &str| columns.iter().any(|column| column == name);
        let of = |column: &str| {
            let found = segment.regions.iter().find(|region| region.name.as_deref().unwrap_or(UNKNOWN) == column);
            found.map_or((0, 0.0), |region| (region.customers, region.share.0))
        };
        let rest = segment.regions.iter().filter(|region| !is_shown(region.name.as_deref().unwrap_or(UNKNOWN)));
        let rest = rest.fold((0, 0.0), |(n, share), region| (n + region.customers, share + region.share.0));
        let all = columns.iter().map(|column| of(column)).chain(has_more.then_some(rest));
        all.map(|(n, share)| cell_of(n, share)).collect()
    };
    let rows = dimension.segments.iter().map(|segment| (shown(segment).to_owned(), cells(segment))).collect();
    if has_more {
        columns.push("others".to_owned());
    }
    html.push_str("<h3>Where they are</h3>\n");
    let caption = "Share of the segment’s customers in each place".to_owned();
    Heat { caption, corner: "segment", columns, rows }.write(html)
}

fn cell_of(n: u64, share: f64) -> Cell {
    if n == 0 {
        return Cell { said: "·".to_owned(), share: None };
    }
    Cell { said: percent(crate::report::model::Share(share)), share: Some(share) }
}

/// What each segment's customers bought.
pub fn habits(report: &Report, dimension: &Dimension, html: &mut String) -> fmt::Result {
    // In the order of the settings, which each segment's keep.
    let mut fields: Vec<(&str, BTreeMap<&str, i128>)> = Vec::new();
    for habits in dimension.segments.iter().flat_map(|segment| &segment.habits) {
        let known = fields.iter().position(|(field, _)| *field == habits.field);
        let index = known.unwrap_or_else(|| {
            fields.push((&habits.field, BTreeMap::new()));
            fields.len() - 1
        });
        for habit in &habits.values {
            *fields[index].1.entry(&habit.name).or_default() += i128::from(habit.buyers);
        }
    }
    if fields.is_empty() {
        return Ok(());
    }
    html.push_str("<h3>What they buy</h3>\n");
    for (field, totals) in fields {
        let (columns, _) = most(totals);
        let cells = |segment: &Segment| {
            let values = segment.habits.iter().find(|habits| habits.field == field).map(|habits| &habits.values);
            let of = |column: &String| {
                let found = values.and_then(|values| values.iter().find(|habit| habit.name == *column));
                let share = found.and_then(|habit| habit.buyers_share);
                let said = found.map_or(NOTHING.to_owned(), |habit| money(habit.money));
                Cell {
                    said: share.map_or(said.clone(), |share| format!("{}<small>{said}</small>", percent(share))),
                    share: share.map(|share| share.0),
                }
            };
            columns.iter().map(of).collect()
        };
        let rows = dimension.segments.iter().map(|segment| (shown(segment).to_owned(), cells(segment))).collect();
        let what = if matches!(field, "month" | "weekday" | "hour") { "then" } else { "it" };
        let caption = format!(
            "By {field}: the share of the segment’s customers who bought {what}, and their money in {}",
            report.currency
        );
        Heat { caption, corner: "segment", columns, rows }.write(html)?;
    }
    Ok(())
}

/// Each pair of dimensions.
pub fn overlaps(report: &Report, html: &mut String) -> fmt::Result {
    if report.overlaps.is_empty() {
        return Ok(());
    }
    html.push_str("<section id=\"overlaps\" aria-labelledby=\"ho\">\n<h2 id=\"ho\">Overlaps</h2>\n");
    html.push_str(
        "<p>How many customers are in two segments at once, at the end; the stronger the colour, the larger the part of \
         the row.</p>\n",
    );
    let is_folded = report.overlaps.len() > OPEN_MAX;
    html.push_str(if is_folded { "<div class=\"pairs\">\n" } else { "<div>\n" });
    for overlap in &report.overlaps {
        let [one, other] = &overlap.dimensions;
        let (Some(rows), Some(columns)) = (report.dimension(one), report.dimension(other)) else { continue };
        let cells = |row: &Segment| {
            let n = |column: &Segment| {
                let found =
                    overlap.cells.iter().find(|cell| cell.segments[0] == row.name && cell.segments[1] == column.name);
                found.map_or(0, |cell| cell.customers)
            };
            let cell = |column: &Segment| match n(column) {
                0 => Cell { said: "·".to_owned(), share: None },
                n => Cell { said: count(n), share: Some(n as f64 / row.size.max(1) as f64) },
            };
            columns.segments.iter().map(cell).collect()
        };
        let heat = Heat {
            caption: format!("{one} (rows) and {other} (columns)"),
            corner: one,
            columns: columns.segments.iter().map(|segment| shown(segment).to_owned()).collect(),
            rows: rows.segments.iter().map(|row| (shown(row).to_owned(), cells(row))).collect(),
        };
        if is_folded {
            writeln!(html, "<details><summary>{} and {}</summary>", Text(one), Text(other))?;
            heat.write(html)?;
            html.push_str("</details>\n");
        } else {
            heat.write(html)?;
        }
    }
    html.push_str("</div>\n</section>\n");
    Ok(())
}
