//! The version of rules: a hash of what they mean. Comments, spacing, labels and the order of tables in the file do
//! not count; whatever changes a decision or a published action does.

use std::fmt::Write;

use super::Parsed;
use crate::rules::declared::{Cut, Declared};
use crate::rules::plan::InterestLimits;

/// 16 hex digits.
pub(super) fn of(declared: &Declared, parsed: &Parsed) -> Box<str> {
    let text = canonical(declared, parsed).expect("writing to a string does not fail");
    format!("{:016x}", rapidhash::v3::rapidhash_v3(text.as_bytes())).into()
}

/// One line for each thing that takes part in a decision.
fn canonical(declared: &Declared, parsed: &Parsed) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "timezone {}", declared.zone.iana_name().unwrap_or("UTC"))?;
    writeln!(text, "currency {}", declared.currency)?;
    for (currency, rates) in &declared.rates {
        for (from, rate) in rates {
            writeln!(text, "rate {currency} {} {}e-{}", from.0, rate.mantissa, rate.scale)?;
        }
    }
    for kind in &declared.kinds {
        let (resolution, dedup) = (kind.resolution.0, kind.dedup_window.0);
        writeln!(text, "kind {} {resolution} {dedup} {:?}", kind.name, kind.amount)?;
    }
    let mut scores: Vec<_> = declared.scores.iter().zip(&parsed.scores).collect();
    scores.sort_by_key(|(score, _)| score.name.text());
    for (score, of) in scores {
        write!(text, "score {} {}", score.name.text(), score.falling)?;
        for (cut, _) in &score.cuts {
            match cut {
                Cut::Number(amount) => write!(text, " {}", amount.0)?,
                Cut::Duration(span) => write!(text, " {}ms", span.0)?,
            }
        }
        of.iter().try_for_each(|of| write!(text, " {of}"))?;
        text.push('\n');
    }
    for (dimension, segments) in declared.dimensions.iter().zip(&parsed.segments) {
        writeln!(text, "dimension {:?}", dimension.name.text())?;
        for (segment, (when, stay)) in dimension.segments.iter().zip(segments) {
            writeln!(text, "segment {:?} {:?}", segment.name.text(), segment.action)?;
            when.iter().try_for_each(|when| writeln!(text, "when {when}"))?;
            stay.iter().try_for_each(|stay| writeln!(text, "stay {stay}"))?;
            segment.min_stay.iter().try_for_each(|span| writeln!(text, "min_stay {}", span.0))?;
            segment.cooldown.iter().try_for_each(|span| writeln!(text, "cooldown {}", span.0))?;
            if let Some(from) = &segment.from {
                let mut names: Vec<_> = from.names.iter().map(|name| name.text()).collect();
                names.sort_unstable();
                writeln!(text, "from {names:?}")?;
            }
        }
    }
    let interests = declared.interests;
    if interests.any() {
        let InterestLimits { categories, brands, queries, products } = interests;
        writeln!(text, "interests {categories} {brands} {queries} {products}")?;
    }
    Ok(text)
}
