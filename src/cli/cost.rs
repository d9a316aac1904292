//! What rules keep of each customer and roughly cost, as `dormouse check` prints it.

use std::fmt::Write;

use crate::rules::plan::{InterestLimits, SeriesId};
use crate::rules::{Plan, cost, shown};

/// Two tables: what is kept, and what each segment reads of it. Ends with a line break.
pub fn tables(plan: &Plan) -> String {
    write_tables(plan).expect("writing to a string does not fail")
}

fn write_tables(plan: &Plan) -> Result<String, std::fmt::Error> {
    let cost = cost::of(plan);
    let mut text = String::new();
    writeln!(text, "\nkept of each customer (bytes are estimates)")?;
    let mut names = Vec::with_capacity(cost.series.len());
    for (index, series) in cost.series.iter().enumerate() {
        let name = shown::series(plan, SeriesId(index as u16));
        writeln!(text, "  #{} {name}", index + 1)?;
        if let Some(window) = series.window {
            writeln!(text, "       events of {window}: {}; {} B each", series.columns.join(" "), series.event_bytes)?;
        }
        if !series.totals.is_empty() {
            writeln!(text, "       of all events: {}", series.totals.join(" "))?;
        }
        let readers = counted(series.n_segments, "segment");
        writeln!(text, "       {} B a customer; read by {readers}", series.customer_bytes)?;
        names.push(format!("#{}", index + 1));
    }
    if cost.n_profile_attributes > 0 {
        let attributes = plan.profile.iter().map(|id| &*plan.schema.attributes[id.0 as usize]);
        writeln!(text, "  profile: {}", attributes.collect::<Vec<_>>().join(" "))?;
    }
    if cost.interest_bytes > 0 {
        let n = InterestLimits::ITEMS_MAX;
        writeln!(text, "  interests: the last {n} items; at most about {} B a customer", cost.interest_bytes)?;
    }
    writeln!(text, "\nread by each segment")?;
    for segment in &cost.segments {
        let dimension = plan.dimension(segment.dimension);
        let name = &dimension.segments[segment.segment.0 as usize].name;
        let series: Vec<&str> = segment.series.iter().map(|id| &*names[id.0 as usize]).collect();
        let comparisons = counted(segment.n_comparisons, "comparison");
        write!(text, "  {}.{name}: {comparisons}, {}", dimension.name, counted(segment.n_features, "feature"))?;
        writeln!(text, "{}", if series.is_empty() { String::new() } else { format!(" of {}", series.join(" ")) })?;
    }
    Ok(text)
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
