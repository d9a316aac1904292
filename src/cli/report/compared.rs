//! Two sets of rules side by side, as tables on a terminal.

use std::fmt::{self, Write};

use super::grid::Grid;
use crate::cli::paint::{Paint, Tone};
use crate::report::model::{Comparison, Difference};
use crate::report::said::{NOTHING, count, moment, or_nothing};

pub fn write(comparison: &Comparison, paint: Paint, text: &mut String) -> fmt::Result {
    let (one, other) = (&comparison.one, &comparison.other);
    let head = format!("one: {} ({}), other: {} ({})", one.rules, one.rules_version, other.rules, other.rules_version);
    writeln!(text, "\n{}", paint.tone(Tone::Strong, head))?;
    for (side, only) in [("one", &comparison.only_in_one), ("other", &comparison.only_in_other)] {
        if !only.is_empty() {
            writeln!(text, "only in the {side}: {}", only.join(", "))?;
        }
    }
    comparison.dimensions.iter().try_for_each(|difference| write_difference(difference, paint, text))
}

fn write_difference(difference: &Difference, paint: Paint, text: &mut String) -> fmt::Result {
    writeln!(text, "\n{}", paint.tone(Tone::Name, format!("{}, compared", difference.dimension)))?;
    let (differ, ever) = (count(difference.differ), count(difference.ever_differed));
    match difference.first {
        // The sizes are those of the report.
        None => return writeln!(text, "  no customer's standing ever differed"),
        Some(first) => {
            writeln!(
                text,
                "  {differ} customers differ at the end; {ever} ever did, the first from {} on",
                moment(first)
            )?;
        }
    }
    let mut sizes = Grid::new(1, ["segment", "one", "other", "difference"]);
    for pair in &difference.sizes {
        let change = match (pair.one, pair.other) {
            (Some(one), Some(other)) if other >= one => format!("+{}", count(other - one)),
            (Some(one), Some(other)) => format!("-{}", count(one - other)),
            _ => NOTHING.to_owned(),
        };
        sizes.row(vec![pair.segment.clone(), or_nothing(pair.one, count), or_nothing(pair.other, count), change]);
    }
    sizes.write(paint, text);
    if difference.customers.is_empty() {
        return Ok(());
    }
    text.push('\n');
    let mut customers = Grid::new(3, ["customer", "one", "other", "differs since", "differed first"]);
    let standing = |name: &Option<String>| name.clone().unwrap_or("not there".to_owned());
    for customer in &difference.customers {
        customers.row(vec![
            customer.customer_id.clone(),
            standing(&customer.one),
            standing(&customer.other),
            moment(customer.since),
            moment(customer.first_differed),
        ]);
    }
    customers.write(paint, text);
    let rest = difference.differ - difference.customers.len() as u64;
    if rest > 0 { writeln!(text, "  and {} more: see --limit", count(rest)) } else { Ok(()) }
}
