//! Two sets of rules side by side: sizes, who differs and from when.

use std::fmt::{self, Write};

use super::{Text, open_table, width};
use crate::report::model::{Comparison, Difference};
use crate::report::said::{NOTHING, count, moment, or_nothing};

pub fn comparison(comparison: &Comparison, html: &mut String) -> fmt::Result {
    html.push_str("<section id=\"comparison\" aria-labelledby=\"hc\">\n<h2 id=\"hc\">Comparison</h2>\n");
    let (one, other) = (&comparison.one, &comparison.other);
    writeln!(
        html,
        "<p>The same history under <b>{}</b> ({}) and under <b>{}</b> ({}).</p>",
        Text(&one.rules),
        Text(&one.rules_version),
        Text(&other.rules),
        Text(&other.rules_version)
    )?;
    for (side, only) in [(one, &comparison.only_in_one), (other, &comparison.only_in_other)] {
        if !only.is_empty() {
            writeln!(html, "<p>Only in {}: {}.</p>", Text(&side.rules), Text(&only.join(", ")))?;
        }
    }
    for difference in &comparison.dimensions {
        write_difference(comparison, difference, html)?;
    }
    html.push_str("</section>\n");
    Ok(())
}

fn write_difference(comparison: &Comparison, difference: &Difference, html: &mut String) -> fmt::Result {
    writeln!(html, "<h3>{}</h3>", Text(&difference.dimension))?;
    let (differ, ever) = (count(difference.differ), count(difference.ever_differed));
    match difference.first {
        None => html.push_str("<p>No customer’s standing ever differed.</p>\n"),
        Some(first) => writeln!(
            html,
            "<p>{differ} customers differ at the end; {ever} ever did, the first from {} on.</p>",
            moment(first)
        )?,
    }
    sizes(comparison, difference, html)?;
    if difference.differ > 0 {
        pairs(comparison, difference, html)?;
        customers(difference, html)?;
    }
    Ok(())
}

fn open(caption: &str, heads: &[&str], html: &mut String) -> fmt::Result {
    open_table(caption, "", html)?;
    for (index, head) in heads.iter().enumerate() {
        let class = if index == 0 { " class=\"text\"" } else { "" };
        write!(html, "<th scope=\"col\"{class}>{}</th>", Text(head))?;
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    Ok(())
}

fn sizes(comparison: &Comparison, difference: &Difference, html: &mut String) -> fmt::Result {
    open("Customers at the end", &["segment", &comparison.one.rules, &comparison.other.rules, "difference"], html)?;
    let most = difference.sizes.iter().flat_map(|pair| [pair.one, pair.other]).flatten().max().unwrap_or(0).max(1);
    for pair in &difference.sizes {
        write!(html, "<tr><th scope=\"row\">{}</th>", Text(&pair.segment))?;
        for size in [pair.one, pair.other] {
            let width = width(size.unwrap_or(0) as f64 / most as f64);
            write!(html, "<td>{}<span class=\"bar\" aria-hidden=\"true\">", or_nothing(size, count))?;
            write!(html, "<i style=\"width:{width}\"></i></span></td>")?;
        }
        let change = match (pair.one, pair.other) {
            (Some(one), Some(other)) if other >= one => format!("+{}", count(other - one)),
            (Some(one), Some(other)) => format!("-{}", count(one - other)),
            _ => NOTHING.to_owned(),
        };
        writeln!(html, "<td>{change}</td></tr>")?;
    }
    html.push_str("</tbody></table></div>\n");
    Ok(())
}

/// A standing; who is not there is nowhere.
fn standing(name: Option<&str>) -> Text<'_> {
    Text(name.unwrap_or("not there"))
}

fn pairs(comparison: &Comparison, difference: &Difference, html: &mut String) -> fmt::Result {
    open("Who differs, by where they are", &[&comparison.one.rules, &comparison.other.rules, "customers"], html)?;
    let mut cells: Vec<_> = difference.cells.iter().filter(|cell| cell.one != cell.other).collect();
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.customers));
    for cell in cells {
        let (one, other) = (standing(cell.one.as_deref()), standing(cell.other.as_deref()));
        writeln!(html, "<tr><th scope=\"row\">{one}</th><td>{other}</td><td>{}</td></tr>", count(cell.customers))?;
    }
    html.push_str("</tbody></table></div>\n");
    Ok(())
}

fn customers(difference: &Difference, html: &mut String) -> fmt::Result {
    let shown = difference.customers.len() as u64;
    writeln!(
        html,
        "<details><summary>{} of {} customers who differ</summary>",
        count(shown),
        count(difference.differ)
    )?;
    open(
        "By since when they differ (UTC)",
        &["customer", "under the one", "under the other", "differs since", "differed first"],
        html,
    )?;
    for customer in &difference.customers {
        write!(html, "<tr><th scope=\"row\">{}</th>", Text(&customer.customer_id))?;
        let (one, other) = (standing(customer.one.as_deref()), standing(customer.other.as_deref()));
        let (since, first) = (moment(customer.since), moment(customer.first_differed));
        writeln!(html, "<td>{one}</td><td>{other}</td><td>{since}</td><td>{first}</td></tr>")?;
    }
    html.push_str("</tbody></table></div></details>\n");
    Ok(())
}
